// What says how much is there: the completeness of the fleet, a host's events, storage and retention.
// The retention is only tried out, never saved: the stack is shared with other tests.
import { expect, hostRow, overflow, signIn, stack, test } from './dashboard';

const PAGES = ['/completeness', '/storage', `/hosts/${stack.host_id}/events`] as const;

test('the completeness of the fleet is one number with a sentence, by channel', async ({ page, complaints }) => {
  await signIn(page);
  await hostRow(page);
  await page.goto('/completeness');
  await expect(page.getByTestId('fleet-completeness')).toHaveText(/\d+(\.\d+)? %.*(accounted for|missing)/);
  await expect(page.getByRole('region', { name: 'Channels' }).getByRole('row', { name: /Telemetry/ })).toBeVisible();
  expect(complaints).toEqual([]);
});

test('log lines are narrowed to a time, which is kept in the address', async ({ page, complaints }) => {
  await signIn(page);
  await hostRow(page);
  await page.goto('/logs');
  await page.getByLabel('Time').selectOption('7d');
  await expect(page).toHaveURL(/when=7d/);
  await expect(page.getByTestId('log-bars')).toContainText('last 7 days');
  expect(complaints).toEqual([]);
});

test('a host has its availability and its events in words', async ({ page, complaints }) => {
  await signIn(page);
  await hostRow(page);
  await page.goto(`/hosts/${stack.host_id}/events`);
  await expect(page.getByTestId('availability')).toContainText('24 hours');
  const events = page.getByRole('region', { name: 'Events' });
  await expect(events.getByText('Came online').last()).toBeVisible();
  await events.getByLabel('Kind').selectOption('online');
  await expect(page).toHaveURL(/kind=online/);
  await expect(events.locator('[data-kind]:not([data-kind=online])')).toHaveCount(0);
  expect(complaints).toEqual([]);
});

test('a change of the retention is tried out before it can be saved', async ({ page, complaints }) => {
  await signIn(page);
  await hostRow(page);
  await page.goto('/storage');
  await expect(page.getByTestId('storage')).toContainText(/[KMG]iB/);
  const form = page.getByRole('form', { name: 'How long data is kept' });
  await expect(form.getByRole('button', { name: 'Save' })).toHaveCount(0);
  await form.getByLabel('Log lines, days to keep').fill('29');
  await form.getByRole('button', { name: 'See what this removes' }).click();
  await expect(form.getByTestId('plan')).toContainText(/removes/);
  await expect(form.getByRole('button', { name: /Save/ })).toBeVisible();
  await form.getByRole('button', { name: 'Go on editing' }).click();
  await form.getByRole('button', { name: 'Take back' }).click();
  await expect(form.getByLabel('Log lines, days to keep')).toHaveValue('');
  expect(complaints).toEqual([]);
});

test('a rule that cannot be is refused by its field', async ({ page }) => {
  await signIn(page);
  await hostRow(page);
  await page.goto('/storage');
  const form = page.getByRole('form', { name: 'How long data is kept' });
  await form.getByRole('button', { name: 'Add an exception' }).click();
  await form.getByLabel('Days', { exact: true }).fill('9999');
  await form.getByLabel('Label', { exact: true }).fill('env=dev');
  await form.getByRole('button', { name: 'See what this removes' }).click();
  await expect(page.getByTestId('retention-outcome')).toContainText('a label only shortens');
  await expect(form.getByLabel('Days', { exact: true })).toHaveAttribute('aria-invalid', 'true');
});

test('the charts of a range can be kept as CSV', async ({ page }) => {
  await signIn(page);
  await (await hostRow(page)).getByRole('link', { name: stack.host_id, exact: true }).click();
  await expect(page.locator('[data-chart=cpu] canvas')).toBeVisible();
  const download = page.waitForEvent('download');
  await page.getByRole('button', { name: 'Download CSV' }).click();
  expect((await download).suggestedFilename()).toMatch(new RegExp(`^${stack.host_id}_.*\\.csv$`));
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 } });

  test('none of these pages is wider than the screen', async ({ page }) => {
    await signIn(page);
    await hostRow(page);
    for (const path of PAGES) {
      await page.goto(path);
      await expect(page.locator('main .card:not(.skeleton)').first()).toBeVisible();
      expect(await overflow(page), path).toBeLessThanOrEqual(0);
    }
  });
});
