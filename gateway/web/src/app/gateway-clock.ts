// Tells the gateway's time, so that ages are right on a machine whose clock is not.
// Fed by whoever receives a frame that carries the time it was sent.
import { clockOffsetMs } from '../logic/clock';

export class GatewayClock {
  private offsetMs = 0;

  heard(sentAt: number): void {
    this.offsetMs = clockOffsetMs(sentAt, Date.now());
  }

  now(): number {
    return Date.now() + this.offsetMs;
  }
}
