// Answers as the gateway gives them about tickets: taken whole, and refused by name where a field is
// missing or strange.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { alert } from '../logic/testing-alerts';
import { parseAlertPage, parseHostMarks, parseSummary, parseTicket } from './contract-alerts';

const counts = { open: 1, acknowledged: 0, critical: 1, high: 0, medium: 0, low: 0 };

it('reads a page of tickets without loss', () => {
  const page = { items: [alert(), alert({ host_id: null, hosts_count: 9, value: null })], next: 'a', counts };
  expect(parseAlertPage(page)).toEqual(page);
});

it.each([
  [{ priority: 'urgent' }, 'items[0].priority is "urgent"'],
  [{ status: 'gone' }, 'items[0].status is "gone"'],
  [{ value: '96' }, 'items[0].value is "96", expected a number'],
  [{ opened_at: 1.5 }, 'items[0].opened_at is 1.5'],
])('refuses %j by the name of the field', (changes, complaint) => {
  expect(() => parseAlertPage({ items: [{ ...alert(), ...changes }], next: null, counts })).toThrow(complaint);
});

const ticket = { ...alert(), description: 'd', recommendation: '', context: {}, unit: 'percent', history: [{ id: 1, at: 2, kind: 'opened', by: null, detail: {} }], notifications: [] };

it('reads a ticket whose context says nothing, or only of a filesystem or hosts', () => {
  expect(parseTicket(ticket).context).toEqual({ processes: [], filesystem: null, directories: [], directories_partial: false, hosts: [] });
  const filesystem = { mount: '/', device: 'sda1', fs_type: 'ext4', total_bytes: 4, used_bytes: 3, available_bytes: 1 };
  expect(parseTicket({ ...ticket, context: { filesystem, hosts: ['web-1'], hosts_count: 3 } }).context).toEqual({
    processes: [],
    filesystem: { mount: '/', device: 'sda1', used_bytes: 3, available_bytes: 1 },
    directories: [],
    directories_partial: false,
    hosts: ['web-1'],
  });
});

it('reads the largest directories of a ticket as agents send them', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../../schemas/fixtures/candidate.json'), 'utf8');
  const { directories, directories_partial } = JSON.parse(text).body.context;
  const { context } = parseTicket({ ...ticket, context: { directories, directories_partial } });
  expect([context.directories, context.directories_partial]).toEqual([directories, true]);
  expect(directories.length).toBeGreaterThan(0);
  expect(() => parseTicket({ ...ticket, context: { directories: [{ path: '/', bytes: '1' }] } })).toThrow('context.directories[0].bytes is "1"');
});

it('names what is wrong within a ticket', () => {
  expect(() => parseTicket({ ...ticket, history: [{ id: 1, at: 2, kind: 'opened', by: 7, detail: {} }] })).toThrow('history[0].by is 7');
  const { unit: _, ...without } = ticket;
  expect(() => parseTicket(without)).toThrow('unit is missing');
});

it('reads the marks of hosts, and none of a priority it does not know', () => {
  const marks = { items: [{ host: 'web-1', number: 3, worst: 'high' }] };
  expect(parseHostMarks(marks)).toEqual(marks);
  expect(() => parseHostMarks({ items: [{ host: 'web-1', number: 3, worst: 'urgent' }] })).toThrow('items[0].worst is "urgent"');
});

it('reads a summary by rule or by host, and the whole of it', () => {
  const total = { count: 900, total_s: 90_000, mean_acknowledge_s: 12.5, mean_resolve_s: 30 };
  const row = { count: 2, acknowledged: 0, resolved: 1, total_s: 60, mean_acknowledge_s: null, mean_resolve_s: 30 };
  const items = [{ ...row, rule_id: 1, rule_name: 'CPU', host_id: null }, { ...row, host_id: 'web-1' }];
  expect(parseSummary({ from: 1, to: 2, items, total: { ...row, ...total } })).toEqual({
    from: 1,
    to: 2,
    items: [
      { ...row, rule_id: 1, rule_name: 'CPU', host_id: null },
      { ...row, rule_id: null, rule_name: null, host_id: 'web-1' },
    ],
    total,
  });
  expect(() => parseSummary({ from: 1, to: 2, items })).toThrow('total is missing');
});
