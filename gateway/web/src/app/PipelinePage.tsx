// The page of the pipeline: joins the report with the time, and says so plainly where there is none.
import { ago, failureSentence } from '../logic/format';
import { oldSince, stagesOf, workersInOrder } from '../logic/pipeline';
import { WarningIcon } from '../views/icons';
import { InlineFailure, LoadingWords, Notice, Skeleton } from '../views/parts';
import { PipelineFacts } from '../views/PipelineFacts';
import { PipelineHead } from '../views/PipelineHead';
import { ConsumerTable, StreamTable } from '../views/PipelineTables';
import { River } from '../views/River';
import { WorkerTable } from '../views/WorkerTable';
import { useNow, useTitle } from './hooks';
import { usePipeline } from './use-pipeline';

export function PipelinePage() {
  const { value: pipeline, failure, loading, retry } = usePipeline();
  const now = useNow();
  useTitle(pipeline === null || pipeline.state === 'ok' ? 'Pipeline' : `Pipeline (${pipeline.state})`);
  if (pipeline === null) return loading || failure === null ? <Loading /> : <Failure failure={failure} onRetry={retry} />;
  // Without an answer the figures do not become older by the gateway's word, only by ours.
  const age = ago(pipeline.at, now);
  return (
    <div className="host pipeline" data-state={pipeline.state} data-testid="pipeline">
      <h1 className="page-title">Pipeline</h1>
      {failure !== null && <InlineFailure what="The gateway does not tell any more, so these figures are old" failure={failure} onRetry={retry} />}
      <div className={failure === null ? 'pipeline-body' : 'pipeline-body pipeline-old'}>
        <PipelineHead pipeline={pipeline} age={age} known={failure === null} />
        <River stages={stagesOf(pipeline)} now={now} />
        <PipelineFacts pipeline={pipeline} now={now} />
        <StreamTable streams={pipeline.broker.streams} now={now} />
        <WorkerTable workers={workersInOrder(pipeline.workers.items)} known={failure === null && oldSince(pipeline, 'workers') === null} now={now} />
        <ConsumerTable consumers={pipeline.broker.consumers} />
      </div>
    </div>
  );
}

function Loading() {
  return (
    <div className="host">
      <h1 className="page-title">Pipeline</h1>
      <LoadingWords>Loading the pipeline</LoadingWords>
      <Skeleton className="card skeleton-card" />
      <Skeleton className="card skeleton-chart" />
    </div>
  );
}

function Failure({ failure, onRetry }: { failure: unknown; onRetry(): void }) {
  return (
    <Notice icon={<WarningIcon />} title="The pipeline could not be asked" tone="bad">
      <p>{failureSentence(failure)} Agents keep what they measure in their journals meanwhile.</p>
      <button type="button" className="button" onClick={onRetry}>
        Try now
      </button>
    </Notice>
  );
}
