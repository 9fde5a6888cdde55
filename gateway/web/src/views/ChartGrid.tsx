// All charts of a host side by side, with one time axis and one cursor between them.
// Leaves out where the data came from: history and live view look the same from here.
import { isEmpty, type ChartData } from '../logic/chart-data';
import { GROUPS, type ChartSpec, type Group } from '../logic/charts';
import type { Band } from '../logic/gaps';
import type { Latest } from '../io/contract';
import { LoadingWords, Skeleton } from './parts';
import { TimeChart } from './TimeChart';

export interface DrawnChart {
  spec: ChartSpec;
  data: ChartData;
}

export interface ChartGridProps {
  charts: readonly DrawnChart[];
  /** Where samples are missing. */
  bands: readonly Band[];
  latest: Latest | null;
  theme: string;
  /** A newer range is being fetched: what is shown is the old one. */
  busy: boolean;
  perCore: boolean;
  live: { points: number; lastAt: number } | null;
  onPerCore(on: boolean): void;
  onZoom(from: number, to: number): void;
  onZoomOut(): void;
}

export function ChartGrid(props: ChartGridProps) {
  const { charts, busy, live } = props;
  const drawn = charts.filter(({ spec, data }) => !spec.optional || !isEmpty(data));
  return (
    <section
      className={busy ? 'chart-groups charts-busy' : 'chart-groups'}
      aria-label="Charts"
      aria-busy={busy}
      data-testid="charts"
      data-live-points={live?.points}
      data-last-at={live?.lastAt}
    >
      {GROUPS.map((group) => (
        <ChartGroup key={group} {...props} group={group} charts={drawn.filter(({ spec }) => spec.group === group)} />
      ))}
    </section>
  );
}

function ChartGroup(props: ChartGridProps & { group: Group }) {
  const { charts, group, latest, theme } = props;
  if (charts.length === 0) return null;
  return (
    <section aria-label={group}>
      <h2 className="section-heading">{group}</h2>
      <div className="charts">
        {charts.map(({ spec, data }) => (
          <figure key={spec.id} className="card chart" aria-label={`${spec.title} over time`} data-chart={spec.id}>
            <figcaption>
              <h3>
                {spec.title}
                {spec.ownUnit && <span className="chart-unit"> {spec.ownUnit}</span>}
              </h3>
              {spec.id === 'cpu' && <PerCore on={props.perCore} onPerCore={props.onPerCore} />}
            </figcaption>
            <TimeChart unit={spec.unit} data={data} ceiling={latest && spec.ceiling ? spec.ceiling(latest) : null} bands={props.bands} theme={theme} onZoom={props.onZoom} onZoomOut={props.onZoomOut} />
          </figure>
        ))}
      </div>
    </section>
  );
}

function PerCore({ on, onPerCore }: { on: boolean; onPerCore(on: boolean): void }) {
  return (
    <button type="button" className="chip" aria-pressed={on} onClick={() => onPerCore(!on)}>
      Per core
    </button>
  );
}

export function ChartsLoading() {
  return (
    <div className="charts">
      <LoadingWords>Loading the charts</LoadingWords>
      {Array.from({ length: 6 }, (_, index) => (
        <Skeleton key={index} className="card skeleton-chart" />
      ))}
    </div>
  );
}
