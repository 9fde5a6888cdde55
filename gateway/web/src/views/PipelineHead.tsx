// The first thing the page of the pipeline says: whether all arrives, and if not, where it is held.
import type { Pipeline } from '../io/contract-pipeline';
import { asSentence } from '../logic/format';
import { heldWords } from '../logic/pipeline';
import { CheckIcon, PauseIcon, WarningIcon } from './icons';

export function PipelineHead({ pipeline, age }: { pipeline: Pipeline; age: string }) {
  const { state } = pipeline;
  const held = heldWords(pipeline);
  return (
    <section className={`card pipeline-head pipeline-${state}`} aria-label="State of the pipeline">
      <span className="pipeline-head-icon">{state === 'ok' ? <CheckIcon /> : state === 'held' ? <PauseIcon /> : <WarningIcon />}</span>
      <div>
        <p className="pipeline-sentence" role="status" data-testid="pipeline-sentence">
          {asSentence(pipeline.sentence)}
        </p>
        {held !== null && <p className="quiet">{held}</p>}
      </div>
      <span className="pipeline-age">As of {age}</span>
    </section>
  );
}
