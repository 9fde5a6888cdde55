// The first thing the page of the pipeline says: whether all arrives, and if not, where it is held.
import type { Pipeline } from '../io/contract-pipeline';
import { asSentence } from '../logic/format';
import { heldWords, STATE_WORDS } from '../logic/pipeline';
import { CheckIcon, ClockIcon, PauseIcon, WarningIcon } from './icons';

/** `known` is false where this is not how it is now, but how it was. */
export function PipelineHead({ pipeline, age, known }: { pipeline: Pipeline; age: string; known: boolean }) {
  const { state } = pipeline;
  const held = heldWords(pipeline);
  return (
    <section className={`card pipeline-head pipeline-${known ? state : 'unknown'}`} aria-label="State of the pipeline">
      <span className="pipeline-head-icon">{!known ? <ClockIcon /> : state === 'ok' ? <CheckIcon /> : state === 'held' ? <PauseIcon /> : <WarningIcon />}</span>
      <div>
        {/* The sentence itself counts seconds: read out, it would never end. */}
        <span className="visually-hidden" role="status">
          {known ? `Pipeline: ${STATE_WORDS[state]}${pipeline.held_at === null ? '' : ` at the ${pipeline.held_at}`}` : 'Pipeline: not known'}
        </span>
        <p className="pipeline-sentence" data-testid="pipeline-sentence">
          {known ? asSentence(pipeline.sentence) : `As of ${age}: ${pipeline.sentence}. How it is now is not known.`}
        </p>
        {held !== null && known && <p className="quiet">{held}</p>}
      </div>
      {known && <span className="pipeline-age">As of {age}</span>}
    </section>
  );
}
