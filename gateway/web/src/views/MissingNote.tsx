// Says above the charts that what they show is not all there was: how much is missing, and when.
import { count, timeSpan } from '../logic/format';
import type { Band } from '../logic/gaps';
import { WarningIcon } from './icons';

/** More would be a list, and there is one behind the badge above. */
const TOLD = 3;

export function MissingNote({ bands }: { bands: readonly Band[] }) {
  if (bands.length === 0) return null;
  const told = bands.toSorted((a, b) => b.to - a.to).slice(0, TOLD);
  const rest = bands.length - told.length;
  return (
    <div className="inline-warning missing-note" role="status" data-testid="missing-note">
      <WarningIcon />
      <p>
        Samples are missing in this range: {told.map((band) => `${band.words} (${timeSpan(band.from, band.to)})`).join('; ')}
        {rest > 0 && `; and ${count(rest)} more`}. The charts are hatched there.
      </p>
    </div>
  );
}
