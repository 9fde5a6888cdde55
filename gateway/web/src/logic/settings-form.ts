// Settings as a form has them, text in every field, and back. An empty field leaves the value to a
// wider scope. What is wrong with a value is the gateway's to say; here only what cannot be read.
import type { Settings } from '../io/contract-agent';

/** In the order in which people read them; the same names as the agent's. */
export const COLLECTORS = [
  'cpu', 'memory', 'pressure', 'filesystems', 'disks', 'networks', 'sockets', 'file_descriptors', 'processes', 'sensors',
  'batteries', 'gpus', 'smart', 'containers', 'services', 'scripts', 'prometheus', 'logs', 'journald',
] as const;

export type Switch = 'default' | 'on' | 'off';

export interface SettingsDraft {
  /** Seconds. */
  sample: string;
  publish: string;
  heartbeat: string;
  /** One a line. */
  logPaths: string;
  /** `name=value`, one a line. */
  labels: string;
  location: string;
  masks: string;
  collectors: Record<string, Switch>;
}

const seconds = (ms: number | null): string => (ms === null ? '' : String(ms / 1000));
const linesOf = (list: readonly string[] | null): string => (list ?? []).join('\n');

export function draftOf(settings: Settings): SettingsDraft {
  const switches = Object.entries(settings.collectors ?? {}).map(([name, on]) => [name, on ? 'on' : 'off'] as const);
  return {
    sample: seconds(settings.sample_interval_ms),
    publish: seconds(settings.publish_interval_ms),
    heartbeat: seconds(settings.heartbeat_interval_ms),
    logPaths: linesOf(settings.log_paths),
    labels: Object.entries(settings.labels ?? {}).map(([name, value]) => `${name}=${value}`).join('\n'),
    location: settings.location ?? '',
    masks: linesOf(settings.mask_arguments),
    collectors: Object.fromEntries(switches),
  };
}

export type Reading = { settings: Partial<Settings> } | { field: string; reason: string };

export function settingsOf(draft: SettingsDraft): Reading {
  const settings: Partial<Settings> = {};
  const intervals = { sample_interval_ms: draft.sample, publish_interval_ms: draft.publish, heartbeat_interval_ms: draft.heartbeat };
  for (const [field, text] of Object.entries(intervals) as [keyof typeof intervals, string][]) {
    if (text.trim() === '') continue;
    const ms = Math.round(Number(text.trim().replace(',', '.')) * 1000);
    if (!Number.isFinite(ms)) return { field, reason: `${text.trim()} is not a number of seconds` };
    settings[field] = ms;
  }
  const labels = readLabels(draft.labels);
  if (typeof labels === 'string') return { field: 'labels', reason: labels };
  if (Object.keys(labels).length > 0) settings.labels = labels;
  const [paths, masks] = [filledLines(draft.logPaths), filledLines(draft.masks)];
  if (paths.length > 0) settings.log_paths = paths;
  if (masks.length > 0) settings.mask_arguments = masks;
  if (draft.location.trim() !== '') settings.location = draft.location.trim();
  const chosen = Object.entries(draft.collectors).filter(([, choice]) => choice !== 'default');
  if (chosen.length > 0) settings.collectors = Object.fromEntries(chosen.map(([name, choice]) => [name, choice === 'on']));
  return { settings };
}

function filledLines(text: string): string[] {
  return text.split('\n').map((one) => one.trim()).filter((one) => one !== '');
}

/** The labels, or what is wrong with them. */
function readLabels(text: string): Record<string, string> | string {
  const labels: Record<string, string> = {};
  for (const one of filledLines(text)) {
    const at = one.indexOf('=');
    if (at < 1) return `${one} is not of the form name=value`;
    labels[one.slice(0, at).trim()] = one.slice(at + 1).trim();
  }
  return labels;
}

const every = (ms: number | null): string | null => (ms === null ? null : `every ${ms / 1000} s`);

/** Which values are set, as one reads them: for a list of what is in force. */
export function settingRows(settings: Settings): [name: string, value: string][] {
  const off = Object.entries(settings.collectors ?? {}).filter(([, on]) => !on).map(([name]) => name);
  const rows: [string, string | null][] = [
    ['Sampling', every(settings.sample_interval_ms)],
    ['Publishing', every(settings.publish_interval_ms)],
    ['Heartbeat', every(settings.heartbeat_interval_ms)],
    ['Log files', settings.log_paths && settings.log_paths.join(', ')],
    ['Masked arguments', settings.mask_arguments && settings.mask_arguments.join(', ')],
    ['Collectors switched off', off.length > 0 ? off.join(', ') : null],
  ];
  return rows.filter((row): row is [string, string] => row[1] !== null && row[1] !== '');
}
