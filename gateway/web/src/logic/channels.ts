// A channel as a form has it, and back to what the gateway takes. A secret never comes back: it is
// given anew, taken from the environment, or left as it is stored. Leaves out drawing.
import type { Channel, ChannelDraft } from '../io/contract-channels';
import { kindSpec, type FieldSpec } from './channel-kinds';
import { count } from './format';

/** `plain` is not secret at all: an address that may be shown. */
export type SecretSource = 'keep' | 'value' | 'env' | 'none' | 'plain';

export interface SecretDraft {
  source: SecretSource;
  /** The secret itself, the variable's name, or the plain text. */
  text: string;
}

export interface ChannelForm {
  kind: string;
  name: string;
  isDefault: boolean;
  enabled: boolean;
  perMinute: string;
  texts: Record<string, string>;
  secrets: Record<string, SecretDraft>;
}

/** More than this wait for the next minute, unless something else is set. */
const PER_MINUTE = 30;

function isSecret({ type }: FieldSpec): boolean {
  return type === 'secret' || type === 'address';
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function secretDraft(value: unknown, { type, optional }: FieldSpec): SecretDraft {
  if (typeof value === 'string') return { source: type === 'address' ? 'plain' : 'value', text: value };
  const { env, stored } = record(value);
  if (typeof env === 'string') return { source: 'env', text: env };
  if (stored === true) return { source: 'keep', text: '' };
  if (type === 'address') return { source: 'plain', text: '' };
  return { source: optional ? 'none' : 'value', text: '' };
}

/** What stands for the value of a header that does not come over the wire. */
const KEPT_HEADER = '{stored}';

function headerText(value: unknown): string {
  if (typeof value === 'string') return value;
  const { env } = record(value);
  return typeof env === 'string' ? `{env ${env}}` : KEPT_HEADER;
}

function textOf(value: unknown, { type, choices }: FieldSpec): string {
  if (type === 'headers') return Object.entries(record(value)).map(([name, text]) => `${name}: ${headerText(text)}`).join('\n');
  if (type === 'lines') return Array.isArray(value) ? value.join('\n') : '';
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  return choices?.[0]?.[0] ?? '';
}

function fieldsOf(kind: string, definition: Record<string, unknown>): Pick<ChannelForm, 'texts' | 'secrets'> {
  const { fields } = kindSpec(kind);
  const secrets = fields.filter(isSecret).map((spec) => [spec.name, secretDraft(definition[spec.name], spec)] as const);
  const texts = fields.filter((spec) => !isSecret(spec)).map((spec) => [spec.name, textOf(definition[spec.name], spec)] as const);
  return { texts: Object.fromEntries(texts), secrets: Object.fromEntries(secrets) };
}

export function newChannel(kind: string): ChannelForm {
  return { kind, name: '', isDefault: false, enabled: true, perMinute: '', ...fieldsOf(kind, {}) };
}

export function formOfChannel({ kind, name, is_default, enabled, definition }: Channel): ChannelForm {
  const perMinute = definition['per_minute'];
  return { kind, name, isDefault: is_default, enabled, perMinute: typeof perMinute === 'number' && perMinute !== PER_MINUTE ? String(perMinute) : '', ...fieldsOf(kind, definition) };
}

export type ChannelReading = { draft: ChannelDraft } | { field: string; reason: string };

function secretValue({ source, text }: SecretDraft): unknown {
  if (source === 'keep') return { stored: true };
  if (source === 'env') return { env: text.trim() };
  if (source === 'plain') return text.trim();
  return source === 'value' ? { value: text } : undefined;
}

/** What is secret is written in braces: taken from the environment, given now, or left as it is. */
function headerValue(text: string): unknown {
  if (text === KEPT_HEADER) return { stored: true };
  const env = /^\{env ([^}]+)\}$/u.exec(text)?.[1];
  if (env !== undefined) return { env };
  const secret = /^\{secret (.+)\}$/u.exec(text)?.[1];
  return secret === undefined ? text : { value: secret };
}

function headersOf(text: string): Record<string, unknown> | null {
  const headers: Record<string, unknown> = {};
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const colon = line.indexOf(':');
    if (colon <= 0) return null;
    const value = line.slice(colon + 1).trim();
    headers[line.slice(0, colon).trim()] = headerValue(value);
  }
  return headers;
}

function wholeNumber(text: string): number | null {
  return /^\d{1,6}$/u.test(text.trim()) ? Number(text.trim()) : null;
}

function textValue(spec: FieldSpec, text: string): { value: unknown } | { reason: string } {
  const trimmed = text.trim();
  if (spec.type === 'headers') {
    const headers = headersOf(text);
    return headers === null ? { reason: 'Each line is to be Name: value' } : { value: Object.keys(headers).length === 0 ? undefined : headers };
  }
  if (spec.type === 'lines') return { value: text.split('\n').map((line) => line.trim()).filter((line) => line !== '') };
  if (trimmed === '') return spec.optional ? { value: undefined } : { reason: `${spec.words} is missing` };
  if (spec.type !== 'number') return { value: spec.type === 'template' ? text : trimmed };
  const number = wholeNumber(trimmed);
  return number === null ? { reason: `${trimmed} is not a whole number` } : { value: number };
}

export function channelOf(form: ChannelForm): ChannelReading {
  if (form.name.trim() === '') return { field: 'name', reason: 'A name is missing' };
  const definition: Record<string, unknown> = { kind: form.kind };
  for (const spec of kindSpec(form.kind).fields) {
    const { name } = spec;
    const read = isSecret(spec) ? secretRead(spec, form.secrets[name]) : textValue(spec, form.texts[name] ?? '');
    if ('reason' in read) return { field: name, reason: read.reason };
    if (read.value !== undefined) definition[name] = read.value;
  }
  const perMinute = form.perMinute.trim() === '' ? PER_MINUTE : wholeNumber(form.perMinute);
  if (perMinute === null) return { field: 'per_minute', reason: `${form.perMinute.trim()} is not a whole number` };
  definition['per_minute'] = perMinute;
  return { draft: { name: form.name.trim(), is_default: form.isDefault, enabled: form.enabled, definition } };
}

function secretRead({ words }: FieldSpec, draft: SecretDraft | undefined): { value: unknown } | { reason: string } {
  const { source, text } = draft ?? { source: 'none', text: '' };
  const needsText = source === 'value' || source === 'env' || source === 'plain';
  if (needsText && text.trim() === '') return { reason: `${words} is missing` };
  return { value: secretValue({ source, text }) };
}

/** The field of the form that the gateway means: `definition.headers.X-Key` is that of the headers. */
export function channelField(field: string | null): string | null {
  return field === null ? null : (field.replace(/^definition\./u, '').split(/[.[]/u)[0] ?? null);
}

/** Where a rule that names no channel is sent. */
export function defaultChannelsWords(channels: readonly Channel[]): string {
  const defaults = channels.filter(({ is_default, enabled }) => is_default && enabled).map(({ name }) => name);
  if (defaults.length === 0) return 'none selected and no default channel: nobody is notified';
  return `none selected: ${defaults.length === 1 ? 'the default channel' : 'the default channels'}, ${defaults.join(', ')}`;
}

export interface Health {
  tone: 'good' | 'warm' | 'bad' | 'plain';
  words: string;
}

/** How it has fared over the last day. */
export function healthOf({ enabled, sent_24h, dead_24h, last_error, waiting }: Channel): Health {
  if (!enabled) return { tone: 'plain', words: 'Off' };
  if (dead_24h > 0) return { tone: 'bad', words: `${count(dead_24h)} failed` };
  if (waiting > 0 && last_error !== null) return { tone: 'warm', words: 'Failing' };
  if (sent_24h > 0) return { tone: 'good', words: 'Works' };
  return { tone: 'plain', words: last_error === null ? 'Nothing sent yet' : 'Failed last' };
}

/** Where it leads to, as far as that may be shown. */
export function destinationOf({ kind, definition }: Channel): string {
  const shown = (name: string): string => {
    const value = definition[name];
    return typeof value === 'string' ? value : '';
  };
  if (kind === 'email') return Array.isArray(definition['to']) ? definition['to'].join(', ') : '';
  return shown('topic') || shown('chat_id') || shown('channel') || shown('url');
}

/** What became of a test. */
export function testWords(state: string, attempts: number, error: string | null): { tone: 'good' | 'bad' | 'plain'; words: string } {
  if (state === 'sent') return { tone: 'good', words: 'The test was sent.' };
  if (state === 'dead') return { tone: 'bad', words: `The test failed${error === null ? '' : `: ${error}`}.` };
  if (error !== null) return { tone: 'bad', words: `The test failed and will be retried: ${error}.` };
  return { tone: 'plain', words: attempts === 0 ? 'The test is on its way…' : 'The test is being sent…' };
}
