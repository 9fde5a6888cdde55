// When a host was online and when it was not: a strip of time, its percentage and its outages for
// each of some windows.
import type { Availability } from '../io/contract';
import { availabilityPercent, outageWords, segmentsOf } from '../logic/events';
import { clockTime, day } from '../logic/format';

export interface Window {
  words: string;
  availability: Availability;
}

export function AvailabilityView({ windows }: { windows: readonly Window[] }) {
  return (
    <section className="card availability" aria-label="Availability" data-testid="availability">
      <h3>Availability</h3>
      <dl>
        {windows.map(({ words, availability }) => (
          <div key={words} className="availability-row">
            <dt>{words}</dt>
            <dd className={availability.offline_ms > 0 ? 'availability-percent' : 'availability-percent good'}>{availabilityPercent(availability)}</dd>
            <dd className="availability-strip">
              <Strip availability={availability} />
            </dd>
            <dd className="availability-words">{outageWords(availability)}</dd>
          </div>
        ))}
      </dl>
      <p className="availability-key quiet" aria-hidden="true">
        <span className="strip-key strip-online" /> online
        <span className="strip-key strip-offline" /> offline
        <span className="strip-key strip-unknown" /> not known
      </p>
    </section>
  );
}

function Strip({ availability }: { availability: Availability }) {
  return (
    <>
      <div className="strip" role="img" aria-label={`${availabilityPercent(availability)} online, ${outageWords(availability)}`}>
        {segmentsOf(availability).map((segment) => (
          <span key={segment.left} className={`strip-part strip-${segment.status}`} style={{ left: `${segment.left}%`, width: `${segment.width}%` }} title={segment.words} />
        ))}
      </div>
      <p className="strip-ends" aria-hidden="true">
        <span>
          {day(availability.from)} {clockTime(availability.from)}
        </span>
        <span>now</span>
      </p>
    </>
  );
}
