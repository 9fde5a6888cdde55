// The kinds of channels with the fields of each, as a form offers them. What each field must satisfy
// is the gateway's to say.

/**
 * `secret`: a text that never comes back, or the name of an environment variable. `address`: a text
 * that may be such a secret. `headers`: one `Name: value` a line; `lines`: one a line.
 */
export type FieldType = 'text' | 'number' | 'secret' | 'address' | 'lines' | 'headers' | 'template' | 'select';

export interface FieldSpec {
  name: string;
  words: string;
  type: FieldType;
  hint?: string;
  placeholder?: string;
  /** It may be left empty. */
  optional?: boolean;
  /** Of a `select`: the first holds where nothing else is set. */
  choices?: readonly (readonly [value: string, words: string])[];
}

export interface KindSpec {
  kind: string;
  words: string;
  fields: readonly FieldSpec[];
}

const hook: FieldSpec = { name: 'url', words: 'Address of the incoming webhook', type: 'secret', placeholder: 'https://…', hint: 'whoever knows it can post: it is kept as a secret' };
const room: FieldSpec = { name: 'channel', words: 'Another room', type: 'text', placeholder: '#on-call', optional: true, hint: 'where the webhook allows one' };

function server(placeholder: string): FieldSpec {
  return { name: 'url', words: 'Server', type: 'text', placeholder, optional: true, hint: 'empty: the public one' };
}

export const CHANNEL_KINDS: readonly KindSpec[] = [
  { kind: 'slack', words: 'Slack', fields: [hook, room] },
  { kind: 'mattermost', words: 'Mattermost', fields: [hook, room] },
  { kind: 'discord', words: 'Discord', fields: [hook] },
  { kind: 'teams', words: 'Microsoft Teams', fields: [hook] },
  {
    kind: 'email',
    words: 'E-mail',
    fields: [
      { name: 'host', words: 'Mail server', type: 'text', placeholder: 'smtp.example.org' },
      { name: 'port', words: 'Port', type: 'number', placeholder: '587', optional: true, hint: 'empty: 587' },
      {
        name: 'security',
        words: 'Encryption',
        type: 'select',
        choices: [
          ['starttls', 'STARTTLS'],
          ['tls', 'TLS from the start'],
          ['none', 'None: a relay in a trusted network'],
        ],
      },
      { name: 'from', words: 'From', type: 'text', placeholder: 'Muster <muster@example.org>' },
      { name: 'to', words: 'To', type: 'lines', placeholder: 'on-call@example.org', hint: 'one address a line' },
      { name: 'username', words: 'Username', type: 'text', optional: true },
      { name: 'password', words: 'Password', type: 'secret', optional: true },
    ],
  },
  {
    kind: 'webhook',
    words: 'Webhook',
    fields: [
      { name: 'url', words: 'Address', type: 'address', placeholder: 'https://…' },
      { name: 'secret', words: 'Signing secret', type: 'secret', optional: true, hint: 'signs each body (HMAC-SHA256)' },
      { name: 'headers', words: 'Headers', type: 'headers', optional: true, placeholder: 'X-Tenant: web', hint: 'Name: value, one a line. What is named like a secret (auth, cookie, key, password, secret, token) or written {secret VALUE} is kept and never shown; {stored} is one that was kept, {env NAME} comes from the environment' },
      {
        name: 'content_type',
        words: 'Content type',
        type: 'select',
        choices: [
          ['application/json', 'application/json'],
          ['text/plain', 'text/plain'],
        ],
      },
      { name: 'template', words: 'Body', type: 'template', optional: true, hint: 'with {{fields}}; empty: the whole notice as JSON' },
    ],
  },
  { kind: 'pagerduty', words: 'PagerDuty', fields: [{ name: 'routing_key', words: 'Routing key', type: 'secret', hint: 'of an integration with the Events API v2' }, server('https://events.pagerduty.com')] },
  { kind: 'opsgenie', words: 'Opsgenie', fields: [{ name: 'api_key', words: 'API key', type: 'secret' }, server('https://api.opsgenie.com')] },
  { kind: 'ntfy', words: 'ntfy', fields: [{ name: 'topic', words: 'Topic', type: 'text', placeholder: 'muster-on-call' }, server('https://ntfy.sh'), { name: 'token', words: 'Access token', type: 'secret', optional: true }] },
  { kind: 'gotify', words: 'Gotify', fields: [{ name: 'url', words: 'Server', type: 'text', placeholder: 'https://gotify.example.org' }, { name: 'token', words: 'Application token', type: 'secret' }] },
  { kind: 'telegram', words: 'Telegram', fields: [{ name: 'token', words: 'Bot token', type: 'secret' }, { name: 'chat_id', words: 'Chat', type: 'text', placeholder: '-1001234567890 or @name' }, server('https://api.telegram.org')] },
];

export function kindSpec(kind: string): KindSpec {
  return CHANNEL_KINDS.find((one) => one.kind === kind) ?? { kind, words: kind, fields: [] };
}
