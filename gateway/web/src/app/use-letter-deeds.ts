// What is done to dead letters: to one, or to all that match in as many requests as the gateway
// needs, with the question before and the outcome after. Leaves out how it looks.
import { useEffect, useRef, useState } from 'react';
import type { Api } from '../io/api';
import type { DeadLetter } from '../io/contract-letters';
import { failureSentence } from '../logic/format';
import { NOTHING_DONE, withAnswer, type Deed, type LetterFilter, type Outcome } from '../logic/letters';
import type { Question } from '../views/LetterOutcome';
import { useServices } from './services';
import type { Letters } from './use-letters';

/** The gateway's own limit; a count needs no more requests than it must. */
const COUNTED_PER_PAGE = 200;

/** So many pages are counted before the answer is "at least". */
const COUNTED_PAGES_MAX = 10;

interface Said {
  good: boolean;
  words: string;
}

/** What is asked, done and told; `onChange` lets the totals follow. */
export function useDeeds(letters: Letters, filter: LetterFilter, onChange: () => void) {
  const { api } = useServices();
  const [question, setQuestion] = useState<Question | null>(null);
  const [outcome, setOutcome] = useState<Said | null>(null);
  const [busy, setBusy] = useState(false);
  const many = useManyLetters(() => {
    letters.restart();
    onChange();
  });

  const attempt = async (deed: () => Promise<Said | null>) => {
    setBusy(true);
    setOutcome(null);
    many.dismiss();
    try {
      setOutcome(await deed());
    } catch (error) {
      setOutcome({ good: false, words: failureSentence(error) });
    } finally {
      setBusy(false);
    }
  };
  const done = ({ id }: DeadLetter, words: string): Said => {
    letters.forget([id]);
    onChange();
    return { good: true, words };
  };
  const retry = (letter: DeadLetter) =>
    void attempt(async () => {
      const { subject } = await api.retryLetter(letter.id);
      return done(letter, `Dead letter ${letter.id} was published again on ${subject}. If it still cannot be stored, it comes back here.`);
    });
  const discard = (letter: DeadLetter) =>
    void attempt(async () => {
      await api.discardLetter(letter.id);
      return done(letter, `Dead letter ${letter.id} was discarded.`);
    });
  const askAboutAll = (deed: Deed) =>
    void attempt(async () => {
      const counted = await countLetters(api, filter);
      if (counted.number === 0) return { good: true, words: 'No dead letter matches any more.' };
      setQuestion({ deed, filter, counted });
      return null;
    });
  const confirm = () => {
    setQuestion(null);
    if (question === null) return;
    if ('letter' in question) discard(question.letter);
    else many.start(question.deed, question.filter);
  };
  return {
    question,
    ask: setQuestion,
    askAboutAll,
    confirm,
    retry,
    outcome,
    dismiss: () => setOutcome(null),
    many,
    busy: busy || many.progress?.running === true,
  };
}

interface Counted {
  number: number;
  /** There may be more than that. */
  atLeast: boolean;
}

/** What somebody is asked to confirm has to have a number. */
async function countLetters(api: Api, filter: LetterFilter): Promise<Counted> {
  let number = 0;
  let cursor: string | null = null;
  for (let pages = 0; pages < COUNTED_PAGES_MAX; pages += 1) {
    const page = await api.letters(filter, COUNTED_PER_PAGE, cursor);
    number += page.items.length;
    cursor = page.next;
    if (cursor === null) return { number, atLeast: false };
  }
  return { number, atLeast: true };
}

interface Progress {
  deed: Deed;
  outcome: Outcome;
  running: boolean;
  /** Before all were dealt with, because somebody said so. */
  stopped: boolean;
  failure: unknown;
}

interface ManyLetters {
  progress: Progress | null;
  start(deed: Deed, filter: LetterFilter): void;
  stop(): void;
  dismiss(): void;
}

/** Goes on from answer to answer until there are no more, or somebody says stop, or it fails. */
function useManyLetters(onEnd: () => void): ManyLetters {
  const { api } = useServices();
  const [progress, setProgress] = useState<Progress | null>(null);
  const stopped = useRef(false);
  useEffect(
    () => () => {
      stopped.current = true;
    },
    [],
  );
  const run = async (deed: Deed, filter: LetterFilter) => {
    stopped.current = false;
    let outcome = NOTHING_DONE;
    let cursor: string | null = null;
    let failure: unknown = null;
    setProgress({ deed, outcome, running: true, stopped: false, failure });
    try {
      do {
        const answer = await api.handleLetters(deed, filter, cursor);
        outcome = withAnswer(outcome, answer);
        cursor = answer.next;
        setProgress({ deed, outcome, running: true, stopped: false, failure });
      } while (cursor !== null && !stopped.current);
    } catch (error) {
      failure = error;
    }
    setProgress({ deed, outcome, running: false, stopped: failure === null && cursor !== null, failure });
    onEnd();
  };
  return {
    progress,
    start: (deed, filter) => void run(deed, filter),
    stop: () => {
      stopped.current = true;
    },
    dismiss: () => setProgress(null),
  };
}
