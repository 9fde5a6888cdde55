// The page of the stack's own host: recorded history, the live view, and a clean console.
import { expect, hostRow, signIn, stack, test } from './dashboard';

test('a row opens the host with its charts, tables and completeness', async ({ page, complaints }) => {
  await signIn(page);
  await (await hostRow(page)).getByRole('link', { name: stack.host_id, exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: stack.host_id })).toBeVisible();
  await expect(page).toHaveTitle(new RegExp(stack.host_id));
  for (const chart of ['cpu', 'load', 'memory', 'filesystems', 'disk-io', 'network', 'tcp', 'processes']) {
    await expect(page.locator(`[data-chart=${chart}] canvas`)).toBeVisible();
  }
  await expect(page.locator('[data-chart=cpu] .legend-value')).toHaveText(/ %$/);
  await expect(page.getByRole('region', { name: 'Filesystems' }).getByRole('row').nth(1)).toBeVisible();
  await expect(page.getByTestId('completeness')).toHaveText(/accounted for|missing/);
  expect(complaints).toEqual([]);
});

test('the live chart moves', async ({ page, complaints }) => {
  await signIn(page);
  await (await hostRow(page)).getByRole('link', { name: stack.host_id, exact: true }).click();
  await page.getByTestId('live-toggle').click();
  await expect(page.getByTestId('live-state')).toHaveAttribute('data-phase', 'live');

  const charts = page.getByTestId('charts');
  const lastAt = async () => Number((await charts.getAttribute('data-last-at')) ?? 0);
  let before = await lastAt();
  for (let move = 0; move < 3; move += 1) {
    await expect.poll(lastAt).toBeGreaterThan(before);
    before = await lastAt();
  }
  expect(Number(await charts.getAttribute('data-live-points'))).toBeGreaterThanOrEqual(4);
  expect(complaints).toEqual([]);
});

test('a range can be chosen, and dragging in a chart zooms', async ({ page }) => {
  await signIn(page);
  await (await hostRow(page)).getByRole('link', { name: stack.host_id, exact: true }).click();
  await page.getByRole('button', { name: 'Last 6 hours' }).click();
  await expect(page).toHaveURL(/range=6h/);
  const place = page.locator('[data-chart=load] .u-over');
  const box = await place.boundingBox();
  if (!box) throw new Error('the chart has no size');
  await page.mouse.move(box.x + box.width * 0.5, box.y + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.8, box.y + 60, { steps: 4 });
  await page.mouse.up();
  await expect(page).toHaveURL(/from=\d+&to=\d+/);
});

test('the theme can be changed and is remembered', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'light' });
  await signIn(page);
  await page.getByRole('button', { name: 'Use the dark theme' }).click();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await page.reload();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
});

test('an unknown host is explained', async ({ page }) => {
  await signIn(page);
  await hostRow(page);
  await page.goto('/hosts/no-such-host');
  await expect(page.getByRole('heading', { name: 'No host is called no-such-host' })).toBeVisible();
});
