// The tabs of a host's page and the pages of the fleet: each opens, says what there is, and fits.
import { expect, hostRow, overflow, signIn, stack, test } from './dashboard';

const PANELS = ['Processes', 'Logs', 'Events', 'System', 'Settings'] as const;

test('each tab opens by its link and by its address', async ({ page, complaints }) => {
  await signIn(page);
  await (await hostRow(page)).getByRole('link', { name: stack.host_id, exact: true }).click();
  const tabs = page.getByRole('navigation', { name: 'Parts of the host' });
  for (const name of PANELS) {
    await tabs.getByRole('link', { name }).click();
    await expect(page).toHaveURL(new RegExp(`/hosts/${stack.host_id}/${name.toLowerCase()}`));
    await expect(tabs.getByRole('link', { name })).toHaveAttribute('aria-current', 'page');
    await expect(page.getByRole('alert')).toHaveCount(0);
  }
  await page.reload();
  await expect(page.getByRole('form', { name: 'Settings of the host' })).toBeVisible();
  await tabs.getByRole('link', { name: 'Overview' }).click();
  await expect(page.locator('[data-chart=cpu] canvas')).toBeVisible();
  expect(complaints).toEqual([]);
});

test('the processes can be ordered and searched', async ({ page }) => {
  await signIn(page);
  await hostRow(page);
  await page.goto(`/hosts/${stack.host_id}/processes`);
  const table = page.getByRole('region', { name: 'Processes' });
  await expect(table.getByRole('row').nth(1)).toBeVisible();
  await table.getByRole('button', { name: 'Memory' }).click();
  await expect(table.getByRole('columnheader', { name: 'Memory' })).toHaveAttribute('aria-sort', 'descending');
  await page.getByPlaceholder('Search processes').fill('no-process-has-this-name');
  await expect(table.getByRole('row')).toHaveCount(1);
});

test('a filter of the log lines is kept in the address', async ({ page }) => {
  await signIn(page);
  await hostRow(page);
  await page.goto(`/hosts/${stack.host_id}/logs`);
  await page.getByLabel('Severity').selectOption('error');
  await expect(page).toHaveURL(/severity=error/);
  await page.getByPlaceholder('Search messages').fill('no line says this');
  await expect(page).toHaveURL(/text=no\+line/);
  await expect(page.getByText('No stored line matches.')).toBeVisible();
});

test('a bad setting is refused by its field and a good one is saved', async ({ page }) => {
  await signIn(page);
  await expect(page.getByTestId('fleet')).toBeVisible();
  await page.getByRole('link', { name: 'Settings' }).click();
  const form = page.getByRole('form', { name: 'Settings of the fleet' });
  const sample = form.getByLabel('Sample every (seconds)');
  await sample.fill('0.01');
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByTestId('settings-outcome')).toHaveText(/sample_interval_ms is 10/);
  await expect(sample).toHaveAttribute('aria-invalid', 'true');
  await sample.fill('');
  await form.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByTestId('settings-outcome')).toHaveText(/Saved as version \d+/);
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 } });

  test('no tab is wider than the screen', async ({ page }) => {
    await signIn(page);
    await hostRow(page);
    for (const path of [...PANELS.map((name) => `/hosts/${stack.host_id}/${name.toLowerCase()}`), '/logs', '/settings']) {
      await page.goto(path);
      await expect(page.locator('main .card, main .panel-bar').first()).toBeVisible();
      expect(await overflow(page), path).toBeLessThanOrEqual(0);
    }
  });
});
