// The pipeline's report, asked for once for the whole application: often while somebody looks at
// it, and rarely for the mark at its link. Leaves out how it looks.
import { createContext, useContext } from 'react';
import { useLocation } from 'wouter';
import type { Pipeline } from '../io/contract-pipeline';
import { usePolled, type Polled } from './hooks';
import { useServices } from './services';

/** The gateway itself looks every two seconds. */
const LOOKING_MS = 5_000;
const MARK_MS = 60_000;

export function useWatchedPipeline(): Polled<Pipeline> {
  const { api } = useServices();
  const [path] = useLocation();
  const looking = path === '/pipeline' || path.startsWith('/pipeline/');
  return usePolled({
    key: looking ? 'looking' : 'mark',
    fetch: (signal) => api.pipeline(signal),
    nextMs: () => (looking ? LOOKING_MS : MARK_MS),
    keepPrevious: true,
  });
}

export const PipelineContext = createContext<Polled<Pipeline> | null>(null);

export function usePipeline(): Polled<Pipeline> {
  const pipeline = useContext(PipelineContext);
  if (!pipeline) throw new Error('the pipeline was asked for outside of the signed-in pages');
  return pipeline;
}
