// The river from the agents to the database: four stages, what flows between them, where it is held
// and how long each can still hold.
import { Fragment, type ReactNode } from 'react';
import type { StageName, StageState } from '../io/contract-pipeline';
import { ago, moment } from '../logic/format';
import { STATE_WORDS, type StageView } from '../logic/pipeline';
import { CheckIcon, DatabaseIcon, GearIcon, PauseIcon, QueueIcon, ServerIcon, WarningIcon } from './icons';

const STAGE_ICONS: Record<StageName, ReactNode> = { agents: <ServerIcon />, broker: <QueueIcon />, workers: <GearIcon />, database: <DatabaseIcon /> };

export function River({ stages, now }: { stages: readonly StageView[]; now: number }) {
  return (
    <ol className="river" aria-label="Stages">
      {stages.map((stage) => (
        <Fragment key={stage.name}>
          {stage.inflow && <Flow inflow={stage.inflow} state={stage.state} />}
          <Stage stage={stage} now={now} />
        </Fragment>
      ))}
    </ol>
  );
}

/** Its icon differs as well as its colour. */
export function StageBadge({ state }: { state: StageState }) {
  return (
    <span className={`stage-badge stage-badge-${state}`}>
      {state === 'ok' ? <CheckIcon /> : state === 'held' ? <PauseIcon /> : <WarningIcon />}
      {STATE_WORDS[state]}
    </span>
  );
}

function Flow({ inflow, state }: { inflow: NonNullable<StageView['inflow']>; state: StageState }) {
  const look = state !== 'ok' ? `flow-${state}` : inflow.moves ? 'flow-moves' : 'flow-still';
  return (
    <li className={`flow ${look}`} data-flow={inflow.moves ? 'moves' : 'still'}>
      <span className="flow-line" aria-hidden="true" />
      <span className="flow-words">
        <span className="visually-hidden">Between them: </span>
        {inflow.words}
      </span>
    </li>
  );
}

function Stage({ stage, now }: { stage: StageView; now: number }) {
  const { name, state, hold, oldSince } = stage;
  return (
    <li className={`card stage stage-${state}${stage.heldHere ? ' stage-here' : ''}`} data-stage={name} data-state={state}>
      <h2 className="stage-title">
        {STAGE_ICONS[name]}
        {stage.title}
        <StageBadge state={state} />
      </h2>
      <p className="stage-sentence">{stage.sentence}</p>
      <dl className={oldSince === null ? 'stage-figures' : 'stage-figures stage-old'}>
        {stage.figures.map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p className="stage-end">
        {hold && <span className={`stage-hold stage-hold-${hold.level}`}>{hold.words}</span>}
        {oldSince !== null && <span title={moment(oldSince)}>Figures from {ago(oldSince, now)}</span>}
      </p>
    </li>
  );
}
