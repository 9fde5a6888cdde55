// What the charts show, as a file: fetched with the session, because a plain link could not sign in.
import { useState } from 'react';
import type { CatalogueItem } from '../io/contract';
import { saveFile } from '../io/save-file';
import { chartsToDraw, metricNames } from '../logic/charts';
import { fileStamp } from '../logic/format';
import { spanOf, type Range } from '../logic/range';
import { useServices } from './services';

export interface Download {
  start(): void;
  busy: boolean;
  failure: unknown;
}

export function useDownload(id: string, range: Range, perCore: boolean, custom: readonly CatalogueItem[]): Download {
  const { api, clock } = useServices();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const start = async () => {
    if (range.kind === 'live') return;
    const span = spanOf(range, clock.now());
    setBusy(true);
    setFailure(null);
    try {
      const file = await api.metricsFile(id, { ...span, names: metricNames(chartsToDraw(perCore, custom)) });
      saveFile(file, `${id}_${fileStamp(span.from)}_${fileStamp(span.to)}.csv`);
    } catch (error) {
      setFailure(error);
    } finally {
      setBusy(false);
    }
  };
  return { start: () => void start(), busy, failure };
}
