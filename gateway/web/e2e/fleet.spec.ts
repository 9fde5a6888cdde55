// The fleet page with the stack's own host in it.
import { expect, hostRow, overflow, signIn, stack, test } from './dashboard';

test('the fleet shows the host online with a CPU value', async ({ page, complaints }) => {
  await signIn(page);
  const row = await hostRow(page);
  await expect(row.getByText('Online')).toBeVisible();
  await expect(row.locator('[data-cell=cpu]')).toHaveText(/^\d+(\.\d)? %$/);
  await expect(page.getByTestId('count-online')).toHaveText(/[1-9]/);
  expect(complaints).toEqual([]);
});

test('the order is kept in the address', async ({ page }) => {
  await signIn(page);
  const heading = page.getByRole('columnheader', { name: 'CPU' });
  await heading.getByRole('button').click();
  await expect(heading).toHaveAttribute('aria-sort', 'descending');
  await expect(page).toHaveURL(/sort=cpu/);
  await page.reload();
  await expect(heading).toHaveAttribute('aria-sort', 'descending');
});

test('a search without a match says so and can be taken back', async ({ page }) => {
  await signIn(page);
  await page.getByPlaceholder('Search hosts').fill('no-host-has-this-name');
  await expect(page.getByRole('heading', { name: 'No host matches' })).toBeVisible();
  await page.getByRole('button', { name: 'Show all hosts' }).click();
  await expect(page.getByTestId('fleet')).toBeVisible();
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 } });

  test('nothing is wider than the screen', async ({ page }) => {
    await signIn(page);
    const row = await hostRow(page);
    expect(await overflow(page)).toBeLessThanOrEqual(0);
    await row.getByRole('link', { name: stack.host_id, exact: true }).click();
    await expect(page.locator('[data-chart=cpu] canvas')).toBeVisible();
    expect(await overflow(page)).toBeLessThanOrEqual(0);
  });
});
