// The page of the pipeline and that of the dead letters, on a stack where all is well.
import { expect, hostRow, overflow, signIn, test } from './dashboard';

test('the pipeline shows four stages, its streams and its workers', async ({ page, complaints }) => {
  await signIn(page);
  await hostRow(page);
  const links = page.getByRole('navigation', { name: 'Pages' });
  await links.getByRole('link', { name: /^Pipeline/ }).click();
  await expect(links.getByRole('link', { name: /^Pipeline/ })).toHaveAttribute('aria-current', 'page');
  await expect(page.getByTestId('pipeline-sentence')).toHaveText(/\w+ .*\w\./);
  for (const stage of ['agents', 'broker', 'workers', 'database']) {
    await expect(page.locator(`[data-stage=${stage}]`)).toHaveAttribute('data-state', /ok|held|down/);
  }
  await expect(page.locator('[data-stream=TELEMETRY] td').first()).toHaveText(/^[\d,.]+k?$/);
  await expect(page.locator('[data-worker=ingest-worker]').first()).toBeVisible();
  await expect(page.locator('[data-consumer=ingest-telemetry]')).toBeVisible();
  expect(complaints).toEqual([]);
});

test('dead letters are reached from the pipeline, and their filter is kept in the address', async ({ page, complaints }) => {
  await signIn(page);
  await hostRow(page);
  await page.goto('/pipeline');
  await page.getByRole('region', { name: 'Dead letters' }).getByRole('link').click();
  await expect(page).toHaveURL(/\/pipeline\/dead-letters$/);
  await page.getByLabel('Stream').selectOption('logs');
  await page.getByPlaceholder('Search reasons').fill('no reason says this');
  await expect(page).toHaveURL(/stream=logs&reason=no\+reason/);
  await expect(page.getByRole('heading', { name: 'No dead letter matches' })).toBeVisible();
  await page.getByRole('button', { name: /^Discard all/ }).click();
  await expect(page.getByTestId('letter-outcome')).toHaveText(/No dead letter matches any more/);
  await page.getByRole('button', { name: 'Show all dead letters' }).click();
  await expect(page.getByLabel('Stream')).toHaveValue('');
  expect(complaints).toEqual([]);
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 } });

  test('neither page is wider than the screen, and each link can be reached', async ({ page }) => {
    await signIn(page);
    await hostRow(page);
    for (const path of ['/pipeline', '/pipeline/dead-letters']) {
      await page.goto(path);
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      await expect(page.locator('main .card, main .notice').first()).toBeVisible();
      expect(await overflow(page), path).toBeLessThanOrEqual(0);
    }
    await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Settings' }).click();
    await expect(page.getByRole('form', { name: 'Settings of the fleet' })).toBeVisible();
  });
});
