// The first thing the page of the pipeline says: whether all arrives, and if not, where it is held.
import type { Pipeline } from '../io/contract-pipeline';
import { asSentence } from '../logic/format';
import { STAGE_WORDS } from '../logic/pipeline';
import { CheckIcon, PauseIcon, WarningIcon } from './icons';

export function PipelineHead({ pipeline, age }: { pipeline: Pipeline; age: string }) {
  const { state, held_at: heldAt } = pipeline;
  return (
    <section className={`card pipeline-head pipeline-${state}`} aria-label="State of the pipeline">
      <span className="pipeline-head-icon">{state === 'ok' ? <CheckIcon /> : state === 'held' ? <PauseIcon /> : <WarningIcon />}</span>
      <div>
        <p className="pipeline-sentence" role="status" data-testid="pipeline-sentence">
          {asSentence(pipeline.sentence)}
        </p>
        {heldAt !== null && (
          <p className="quiet">
            {state === 'down' ? 'It stops' : 'It is held'} at the {STAGE_WORDS[heldAt].toLowerCase()}. Nothing is lost as long as the stages before still hold.
          </p>
        )}
      </div>
      <span className="pipeline-age">As of {age}</span>
    </section>
  );
}
