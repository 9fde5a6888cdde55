// What is done to dead letters: to one, or to all that match in as many requests as the gateway
// needs, with the question before and the outcome after. Leaves out how it looks.
import { useEffect, useRef, useState } from 'react';
import type { Api } from '../io/api';
import type { DeadLetter } from '../io/contract-letters';
import { ApiError } from '../io/http';
import { failureSentence } from '../logic/format';
import { failedOneWords, mayGoOn, NOTHING_DONE, SETTLED_MS, withAnswer, type Deed, type LetterFilter, type Outcome } from '../logic/letters';
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
  const readAgain = () => {
    letters.restart();
    onChange();
  };
  const readLater = useLater(readAgain);
  const many = useManyLetters((goesOn) => {
    readAgain();
    if (goesOn) readLater();
  });

  const { outcome, busy, attempt, dismiss } = useAttempt(many.dismiss);
  const done = ({ id }: DeadLetter, words: string): Said => {
    letters.forget([id]);
    onChange();
    return { good: true, words };
  };
  const failedOne = (error: unknown): string => {
    const goesOn = gatewayGoesOn(error);
    if (goesOn) readLater();
    return failedOneWords(error, goesOn);
  };
  const retry = (letter: DeadLetter) =>
    void attempt(async () => {
      const { subject } = await api.retryLetter(letter.id);
      return done(letter, `Dead letter ${letter.id} was published again on ${subject}. If it still cannot be stored, it comes back here.`);
    }, failedOne);
  const discard = (letter: DeadLetter) =>
    void attempt(async () => {
      await api.discardLetter(letter.id);
      return done(letter, `Dead letter ${letter.id} was discarded.`);
    }, failedOne);
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
    dismiss,
    many,
    busy: busy || many.progress?.running === true,
  };
}

/** Does one thing at a time and keeps what is to be said of it. */
function useAttempt(onStart: () => void) {
  const [outcome, setOutcome] = useState<Said | null>(null);
  const [busy, setBusy] = useState(false);
  const attempt = async (deed: () => Promise<Said | null>, onFailure = failureSentence) => {
    setBusy(true);
    setOutcome(null);
    onStart();
    try {
      setOutcome(await deed());
    } catch (error) {
      setOutcome({ good: false, words: onFailure(error) });
    } finally {
      setBusy(false);
    }
  };
  return { outcome, busy, attempt, dismiss: () => setOutcome(null) };
}

/** What is no answer at all, or none that can be read, says nothing of what was done. */
function gatewayGoesOn(error: unknown): boolean {
  return !(error instanceof ApiError) || mayGoOn(error.status);
}

/** Once what the gateway had begun has ended; the last one to ask counts. */
function useLater(work: () => void): () => void {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  return () => {
    clearTimeout(timer.current);
    timer.current = setTimeout(work, SETTLED_MS);
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
  /** What failed may still be done. */
  goesOn: boolean;
}

interface ManyLetters {
  progress: Progress | null;
  start(deed: Deed, filter: LetterFilter): void;
  stop(): void;
  dismiss(): void;
}

/** Goes on from answer to answer until there are no more, or somebody says stop, or it fails. */
function useManyLetters(onEnd: (goesOn: boolean) => void): ManyLetters {
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
    const started = { deed, running: true, stopped: false, failure, goesOn: false };
    setProgress({ ...started, outcome });
    try {
      do {
        const answer = await api.handleLetters(deed, filter, cursor);
        outcome = withAnswer(outcome, answer);
        cursor = answer.next;
        setProgress({ ...started, outcome });
      } while (cursor !== null && !stopped.current);
    } catch (error) {
      failure = error;
    }
    const goesOn = failure !== null && gatewayGoesOn(failure);
    setProgress({ deed, outcome, running: false, stopped: failure === null && cursor !== null, failure, goesOn });
    onEnd(goesOn);
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
