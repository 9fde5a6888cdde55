// Alerting in the browser: the inbox, a ticket from its opening to its end, rules with their backtest,
// silences and channels. Each test leaves the stack as it found it.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from '@playwright/test';
import { expect, hostRow, overflow, signIn, stack, test } from './dashboard';

/** A candidate is told at once and decided about within a second or two; the page hears of it live. */
const LIVE_MS = 20_000;

async function openAlerts(page: Page, path = ''): Promise<void> {
  await signIn(page);
  await hostRow(page);
  await page.goto(`/alerts${path}`);
}

async function makeRule(page: Page, name: string, metric: string, threshold: string, priority = 'low'): Promise<void> {
  await page.getByRole('textbox', { name: 'Name' }).fill(name);
  await page.getByRole('combobox', { name: 'Metric' }).fill(metric);
  await page.getByRole('textbox', { name: /^Threshold/ }).fill(threshold);
  await page.getByRole('textbox', { name: 'Lasting' }).fill('0');
  await page.getByRole('textbox', { name: 'Hosts', exact: true }).fill(`id=${stack.host_id}`);
  await page.getByRole('combobox', { name: 'Priority' }).selectOption(priority);
  await page.getByRole('button', { name: 'Create rule' }).click();
  await expect(page.getByRole('heading', { level: 1 })).toHaveText(name);
}

/** A receiver of notifications on this machine. */
async function receiver() {
  const heard: { event: string | undefined; body: string }[] = [];
  const server = createServer((request: IncomingMessage, answer) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      heard.push({ event: request.headers['x-muster-event']?.toString(), body });
      answer.end();
    });
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  const { port } = server.address() as AddressInfo;
  return { heard, url: `http://127.0.0.1:${port}/alerts`, close: () => server.close() };
}

async function deleteChannel(page: Page, name: string): Promise<void> {
  const row = page.locator('[data-channel]').filter({ hasText: name });
  await row.getByRole('button', { name: 'Delete…' }).click();
  await page.getByTestId('confirm').getByRole('button', { name: 'Delete' }).click();
  await expect(row).toHaveCount(0);
}

async function deleteRule(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Delete…' }).click();
  await page.getByTestId('confirm').getByRole('button', { name: 'Delete' }).click();
  await expect(page).toHaveURL(/\/alerts\/rules$/);
}

test('the inbox is reached from the header, and its filter is kept in the address', async ({ page, complaints }) => {
  await signIn(page);
  await hostRow(page);
  const links = page.getByRole('navigation', { name: 'Pages' });
  await links.getByRole('link', { name: /^Alerts/ }).click();
  await expect(links.getByRole('link', { name: /^Alerts/ })).toHaveAttribute('aria-current', 'page');
  await page.getByTestId('alerts-all').click();
  await page.getByPlaceholder('Search alerts').fill('no alert says this');
  await expect(page).toHaveURL(/status=all&q=no\+alert/);
  await expect(page.getByRole('heading', { name: 'No alert matches' })).toBeVisible();
  await page.reload();
  await expect(page.getByPlaceholder('Search alerts')).toHaveValue('no alert says this');
  await page.getByRole('button', { name: 'Show active alerts' }).click();
  await expect(page.getByTestId('alerts-active')).toHaveAttribute('aria-pressed', 'true');
  expect(complaints).toEqual([]);
});

test('an alert is shown live, acknowledged, talked about, and ends with its rule', async ({ page }) => {
  const name = `Dashboard test ${Date.now()}`;
  await openAlerts(page, '/rules/new');
  await makeRule(page, name, 'processes.total', '0');
  const rule = new URL(page.url()).pathname.split('/').at(-1);
  await page.goto(`/alerts?rule=${rule}`);
  const row = page.locator('[data-alert]').first();
  await expect(row).toBeVisible({ timeout: LIVE_MS });
  await expect(row).toHaveAttribute('data-status', 'open');
  await expect(row).toContainText(name);
  await expect(row).toContainText(stack.host_id);
  await expect(page.getByTestId('alert-badge')).toBeVisible();
  await row.locator('.alert-title').click();
  await page.getByRole('button', { name: 'Acknowledge' }).click();
  await expect(page.locator('[data-ticket]')).toHaveAttribute('data-status', 'acknowledged');
  await page.getByLabel('Comment').fill('a test\nof two lines');
  await page.getByRole('button', { name: 'Comment' }).click();
  await expect(page.locator('[data-kind=commented]')).toContainText('of two lines');
  await expect(page.getByTestId('metric-chart').locator('canvas')).toBeVisible();
  const ticket = page.url();
  await page.goto(`/alerts/rules/${rule}`);
  await deleteRule(page);
  await page.goto(ticket);
  await expect(page.locator('[data-ticket]')).toHaveAttribute('data-status', 'resolved', { timeout: LIVE_MS });
});

test('a rule is refused by the field that is wrong, tested over what is stored, and its versions are kept', async ({ page }) => {
  await openAlerts(page, '/rules/new');
  await page.getByRole('textbox', { name: 'Title' }).fill('{{hots}}');
  await page.getByRole('textbox', { name: 'Name' }).fill('x');
  await page.getByRole('textbox', { name: /^Threshold/ }).fill('101');
  await page.getByRole('button', { name: 'Create rule' }).click();
  await expect(page.locator('[data-field=title] [role=alert]')).toContainText('hots');
  await page.getByRole('textbox', { name: 'Title' }).fill('CPU of {{host}}');
  await makeRule(page, `Dashboard test ${Date.now()}`, 'cpu.usage_percent', '101');
  await page.getByRole('button', { name: 'Run the backtest' }).click();
  await expect(page.getByTestId('backtest-sentence')).toHaveText(/It would not have fired|nothing can be said/);
  await page.getByRole('textbox', { name: 'Lasting' }).fill('1 h');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByTestId('rule-outcome')).toHaveText(/^Saved/);
  await expect(page.locator('[data-version="2"]')).toContainText('1 h');
  await page.getByRole('textbox', { name: 'Hosts', exact: true }).fill('role=');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.locator('[data-field=selector] [role=alert]')).toBeVisible();
  await expect(page.locator('[data-version="3"]')).toHaveCount(0);
  await deleteRule(page);
});

test('a backtest draws when and where a rule would have fired', async ({ page, complaints }) => {
  await openAlerts(page, '/rules/new');
  await page.getByRole('textbox', { name: 'Name' }).fill('never saved');
  await page.getByRole('combobox', { name: 'Metric' }).fill('processes.total');
  await page.getByRole('textbox', { name: /^Threshold/ }).fill('0');
  await page.getByRole('textbox', { name: 'Lasting' }).fill('0');
  await page.getByRole('textbox', { name: 'Hosts', exact: true }).fill(`id=${stack.host_id}`);
  await page.getByRole('button', { name: 'Run the backtest' }).click();
  await expect(page.getByTestId('backtest-sentence')).toHaveText(/It would have fired/);
  const episode = page.locator('.strip-fired').last();
  await expect(episode).toBeInViewport();
  await expect(page.getByTestId('metric-chart').locator('canvas')).toBeVisible();
  await expect(page.locator('.chart-band-episode').first()).toBeVisible();
  expect(complaints).toEqual([]);
});

test('the inbox is filtered by a label of hosts', async ({ page, complaints }) => {
  await openAlerts(page, '?status=all');
  await page.getByPlaceholder('Label: role=web').fill('role=no-host-has-this');
  await expect(page).toHaveURL(/label=role%3Dno-host-has-this/);
  await expect(page.getByRole('heading', { name: 'No alert matches' })).toBeVisible();
  expect(complaints).toEqual([]);
});

test('the test of a channel arrives and is shown as sent', async ({ page, complaints }) => {
  const name = `Dashboard test ${Date.now()}`;
  const there = await receiver();
  await openAlerts(page, '/channels');
  await page.getByRole('button', { name: 'New channel' }).click();
  const form = page.getByRole('form', { name: 'New channel' });
  await form.getByRole('combobox', { name: 'Kind' }).selectOption('webhook');
  await form.getByRole('textbox', { name: 'Name' }).fill(name);
  await form.locator('[data-field=url] input').fill(there.url);
  await form.getByRole('button', { name: 'Save' }).click();
  const row = page.locator('[data-channel]').filter({ hasText: name });
  await row.getByRole('button', { name: 'Test' }).click();
  await expect(row.getByTestId('channel-test')).toHaveText('The test was sent.');
  expect(there.heard).toHaveLength(1);
  expect(there.heard[0]?.event).toBe('test');
  await deleteChannel(page, name);
  there.close();
  expect(complaints).toEqual([]);
});

/** Headless browsers show no notifications: this one writes down what it was asked. */
async function watchNotices(page: Page): Promise<void> {
  await page.addInitScript(() => {
    class Watched extends EventTarget {
      static note(what: string, text: string): void {
        sessionStorage.setItem(what, `${sessionStorage.getItem(what) ?? ''}${text}\n`);
      }
      static get permission(): string {
        return sessionStorage.getItem('asked') === null ? 'default' : 'granted';
      }
      static async requestPermission(): Promise<string> {
        Watched.note('asked', 'once');
        return 'granted';
      }
      constructor(title: string) {
        super();
        Watched.note('told', title);
      }
      close(): void {}
    }
    Object.assign(window, { Notification: Watched });
  });
}

const noted = (page: Page, what: string) => page.evaluate((key) => sessionStorage.getItem(key), what);

test('the browser tells of a new critical alert, once somebody has asked for that', async ({ page }) => {
  const name = `Dashboard test ${Date.now()}`;
  await watchNotices(page);
  await openAlerts(page);
  const button = page.getByTestId('notices');
  await expect(button).toHaveAttribute('aria-pressed', 'false');
  expect(await noted(page, 'asked')).toBeNull();
  await button.click();
  await expect(button).toHaveAttribute('aria-pressed', 'true');
  expect(await noted(page, 'asked')).toBe('once\n');
  await page.goto('/alerts/rules/new');
  await page.getByRole('textbox', { name: 'Title' }).fill(name);
  await makeRule(page, name, 'processes.total', '0', 'critical');
  await expect.poll(() => noted(page, 'told'), { timeout: LIVE_MS }).toContain(name);
  await deleteRule(page);
});

test('a default rule is switched off and on again', async ({ page, complaints }) => {
  await openAlerts(page, '/rules');
  const rule = page.locator('[data-rule]').filter({ hasText: 'Clock off' }).getByRole('switch');
  await expect(rule).toHaveAttribute('aria-checked', 'true');
  await rule.click();
  await expect(rule).toHaveAttribute('aria-checked', 'false');
  await rule.click();
  await expect(rule).toHaveAttribute('aria-checked', 'true');
  expect(complaints).toEqual([]);
});

test('a silence is made and ended', async ({ page, complaints }) => {
  const reason = `Dashboard test ${Date.now()}`;
  await openAlerts(page, '/silences');
  await page.getByRole('button', { name: 'New silence' }).click();
  await page.getByRole('textbox', { name: 'Hosts', exact: true }).fill('id=no-such-host');
  await page.getByRole('textbox', { name: 'Reason' }).fill(reason);
  await page.getByRole('button', { name: 'Silence', exact: true }).click();
  const row = page.locator('[data-silence]').filter({ hasText: reason });
  await row.getByRole('button', { name: 'End…' }).click();
  await page.getByTestId('confirm').getByRole('button', { name: 'End it' }).click();
  await expect(row).toHaveCount(0);
  await page.goto('/alerts/silences?state=ended');
  await expect(row).toBeVisible();
  expect(complaints).toEqual([]);
});

test('the secret of a channel does not come back, and its test says why it failed', async ({ page }) => {
  const name = `Dashboard test ${Date.now()}`;
  await openAlerts(page, '/channels');
  await page.getByRole('button', { name: 'New channel' }).click();
  const form = page.getByRole('form', { name: 'New channel' });
  await form.getByRole('combobox', { name: 'Kind' }).selectOption('discord');
  await form.getByRole('textbox', { name: 'Name' }).fill(name);
  await form.locator('[data-field=url] input').fill('http://127.0.0.1:9/hush');
  await form.getByRole('button', { name: 'Save' }).click();
  const row = page.locator('[data-channel]').filter({ hasText: name });
  await row.getByRole('button', { name: 'Test' }).click();
  await expect(row.getByTestId('channel-test')).toContainText(/failed|given up/);
  await row.getByRole('button', { name: 'Edit' }).click();
  await expect(page.locator('[data-field=url] select')).toHaveValue('keep');
  expect(await page.content()).not.toContain('hush');
  await page.getByRole('button', { name: 'Cancel' }).click();
  await deleteChannel(page, name);
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 } });

  test('no page of alerting is wider than the screen', async ({ page }) => {
    await openAlerts(page);
    for (const path of ['', '/rules', '/rules/new', '/silences', '/channels', '/summary']) {
      await page.goto(`/alerts${path}`);
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      await expect(page.locator('main .card, main .notice').first()).toBeVisible();
      expect(await overflow(page), path).toBeLessThanOrEqual(0);
    }
  });
});
