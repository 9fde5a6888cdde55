// Names and values, one pair a row; what has no value is left out.
import type { ReactNode } from 'react';

export type FactRow = readonly [name: string, value: ReactNode];

export function FactRows({ rows }: { rows: readonly FactRow[] }) {
  return (
    <dl className="fact-rows">
      {rows
        .filter(([, value]) => value !== null && value !== '')
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
