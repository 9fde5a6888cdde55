// A channel in the form and back: no secret comes out of it that was not typed, and none is lost.
import { expect, it } from 'vitest';
import type { Channel } from '../io/contract-channels';
import { CHANNEL_KINDS } from './channel-kinds';
import { channelField, channelOf, defaultChannelsWords, destinationOf, formOfChannel, healthOf, newChannel, testWords } from './channels';

function channel(kind: string, definition: Record<string, unknown>, changes: Partial<Channel> = {}): Channel {
  return { id: 1, name: 'On call', kind, definition: { kind, ...definition, per_minute: 30 }, is_default: true, enabled: true, updated_at: 1, updated_by: null, version: 3, sent_24h: 0, dead_24h: 0, last_error: null, waiting: 0, ...changes };
}

const webhook = { url: 'https://a.example/x', headers: { Authorization: { stored: true }, 'X-Key': { env: 'KEY' }, 'X-Tenant': 'a: b' }, secret: { stored: true }, content_type: 'text/plain', template: '{{title}}\n' };

it.each([
  channel('slack', { url: { stored: true }, channel: '#ops' }),
  channel('discord', { url: { env: 'DISCORD_URL' } }),
  channel('email', { host: 'smtp.example.org', port: 465, security: 'tls', username: 'u', password: { stored: true }, from: 'a@b.c', to: ['d@e.f', 'g@h.i'] }),
  channel('webhook', webhook),
  channel('webhook', { url: { stored: true }, content_type: 'application/json' }),
  channel('pagerduty', { routing_key: { stored: true } }),
  channel('ntfy', { topic: 'ops', url: 'https://ntfy.example.org' }),
  channel('telegram', { token: { stored: true }, chat_id: '-100' }),
])('comes out of the form as it went in: $kind', (one) => {
  expect(channelOf(formOfChannel(one))).toEqual({ draft: { name: 'On call', is_default: true, enabled: true, definition: one.definition } });
});

it('sends a secret only where it was typed, and keeps it otherwise', () => {
  const form = formOfChannel(channel('gotify', { url: 'https://g.example', token: { stored: true } }));
  expect(channelOf({ ...form, secrets: { token: { source: 'value', text: 'hush' } } })).toMatchObject({ draft: { definition: { token: { value: 'hush' } } } });
  expect(channelOf({ ...form, secrets: { token: { source: 'env', text: ' TOKEN ' } } })).toMatchObject({ draft: { definition: { token: { env: 'TOKEN' } } } });
  expect(channelOf({ ...form, secrets: { token: { source: 'value', text: '' } } })).toEqual({ field: 'token', reason: 'Application token is missing' });
});

it('takes a secret header in braces', () => {
  const form = { ...formOfChannel(channel('webhook', { url: 'https://a.example', content_type: 'application/json' })), texts: { headers: 'Authorization: {secret Bearer x}\n\nX: {env Y}', content_type: 'application/json' } };
  expect(channelOf(form)).toMatchObject({ draft: { definition: { headers: { Authorization: { value: 'Bearer x' }, X: { env: 'Y' } } } } });
  expect(channelOf({ ...form, texts: { headers: 'nonsense' } })).toMatchObject({ field: 'headers' });
});

const withHeaders = (headers: Record<string, unknown>) => formOfChannel(channel('webhook', { url: 'https://a.example', headers, content_type: 'application/json' }));

it('sends a secret header as it was typed, and leaves it as it is once it is stored', () => {
  const typed = withHeaders({});
  expect(channelOf({ ...typed, texts: { ...typed.texts, headers: 'Authorization: Bearer x' } })).toMatchObject({ draft: { definition: { headers: { Authorization: 'Bearer x' } } } });
  const stored = withHeaders({ Authorization: { stored: true }, 'X-Tenant': 'web' });
  expect(stored.texts['headers']).toBe('Authorization: {stored}\nX-Tenant: web');
  expect(channelOf(stored)).toMatchObject({ draft: { definition: { headers: { Authorization: { stored: true }, 'X-Tenant': 'web' } } } });
});

it.each(CHANNEL_KINDS.map(({ kind }) => kind))('asks for what a new channel of kind %s lacks', (kind) => {
  expect(channelOf(newChannel(kind))).toMatchObject({ field: 'name' });
  expect(channelOf({ ...newChannel(kind), name: 'n' })).toMatchObject({ reason: expect.stringMatching(/missing/) });
});

it('names a number that is none', () => {
  const form = formOfChannel(channel('discord', { url: { stored: true } }));
  expect(channelOf({ ...form, perMinute: 'many' })).toMatchObject({ field: 'per_minute' });
  expect(channelOf({ ...form, perMinute: '5' })).toMatchObject({ draft: { definition: { per_minute: 5 } } });
});

it('finds the field that the gateway means', () => {
  expect([channelField('headers.X-Key'), channelField('to[1]'), channelField('definition.url.env'), channelField(null)]).toEqual(['headers', 'to', 'url', null]);
});

it('says how a channel fares and where it leads', () => {
  expect(healthOf(channel('slack', {}, { enabled: false, dead_24h: 3 })).words).toBe('Off');
  expect(healthOf(channel('slack', {}, { dead_24h: 3 }))).toEqual({ tone: 'bad', words: '3 failed' });
  expect(healthOf(channel('slack', {}, { waiting: 1, last_error: 'x', sent_24h: 4 })).words).toBe('Failing');
  expect(healthOf(channel('slack', {}, { sent_24h: 4 })).words).toBe('Works');
  expect(healthOf(channel('slack', {})).words).toBe('Nothing sent yet');
  expect(destinationOf(channel('email', { to: ['a@b.c', 'd@e.f'] }))).toBe('a@b.c, d@e.f');
  expect(destinationOf(channel('slack', { url: { stored: true } }))).toBe('');
});

const one = (name: string, is_default: boolean, enabled = true) => channel('slack', {}, { name, is_default, enabled });

it('says where a rule that names no channel is sent', () => {
  expect(defaultChannelsWords([one('chat', true), one('mail', false)])).toBe('none selected: the default channel, chat');
  expect(defaultChannelsWords([one('chat', true), one('mail', true)])).toBe('none selected: the default channels, chat, mail');
  expect(defaultChannelsWords([one('chat', true, false)])).toMatch(/nobody is notified/u);
});

it('says what became of a test', () => {
  expect(testWords('sent', 1, null).words).toBe('The test was sent.');
  expect(testWords('pending', 1, 'refused')).toEqual({ tone: 'bad', words: 'The test failed and will be retried: refused.' });
  expect(testWords('pending', 0, null).tone).toBe('plain');
  expect(testWords('dead', 3, null).words).toBe('The test failed.');
});
