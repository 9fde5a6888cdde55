// What a sample always has is known only where its collector has said it: one that is off, has
// failed or hangs leaves zeros, which are no values. The same rules as the gateway's.
import type { Sample } from '../io/contract';

export function knownCpu(sample: Sample): Sample['cpu'] | null {
  return sample.cpu.cores_percent.length > 0 ? sample.cpu : null;
}

/** It comes with the processor's. */
export function knownLoad(sample: Sample): Sample['load'] | null {
  return knownCpu(sample) && sample.load;
}

export function knownMemory(sample: Sample): Sample['memory'] | null {
  return sample.memory.total_bytes > 0 ? sample.memory : null;
}

export function knownProcesses(sample: Sample): number | null {
  return sample.processes.total > 0 ? sample.processes.total : null;
}

export function knownConnections(sample: Sample): number | null {
  return sample.tcp_connections > 0 || sample.sockets ? sample.tcp_connections : null;
}
