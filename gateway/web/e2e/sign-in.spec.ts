// Getting in, being refused, staying in and leaving.
import { expect, signIn, stack, test } from './dashboard';

test('a wrong password is refused with a sentence', async ({ page }) => {
  await signIn(page, `${stack.admin.password}-wrong`);
  await expect(page.getByTestId('sign-in-refusal')).toHaveText(/\w+ .*\w/);
  await expect(page.getByRole('button', { name: 'Sign in' })).toBeVisible();
});

test('the right password opens the fleet, and a reload stays signed in', async ({ page }) => {
  await signIn(page);
  await expect(page.getByTestId('fleet')).toBeVisible();
  await expect(page).toHaveTitle(/Fleet/);
  await page.reload();
  await expect(page.getByTestId('fleet')).toBeVisible();
  await expect(page.getByLabel('Password')).toHaveCount(0);
});

test('signing out asks for the password again, also after a reload', async ({ page }) => {
  await signIn(page);
  await expect(page.getByTestId('fleet')).toBeVisible();
  const left = page.waitForResponse((response) => response.url().endsWith('/auth/logout'));
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page.getByLabel('Password')).toBeVisible();
  await left;
  await page.reload();
  await expect(page.getByLabel('Password')).toBeVisible();
});
