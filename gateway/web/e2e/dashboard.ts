// What the browser tests share: signing in, and a page that remembers everything it complained of.
import { test as base, expect, type Page } from '@playwright/test';
import { stack } from './stack';

/** A browser reports the expected "not signed in" of the first look at the cookie as an error too. */
function isExpected(url: string, text: string): boolean {
  return url.endsWith('/api/v1/auth/refresh') && text.includes('401');
}

export const test = base.extend<{ complaints: string[] }>({
  complaints: async ({ page }, provide) => {
    const complaints: string[] = [];
    page.on('pageerror', (error) => complaints.push(`uncaught: ${error.message}`));
    page.on('console', (message) => {
      const { url } = message.location();
      if (message.type() === 'error' && !isExpected(url, message.text())) complaints.push(`${message.text()} (${url})`);
    });
    await provide(complaints);
  },
});

export async function signIn(page: Page, password = stack.admin.password): Promise<void> {
  await page.goto('/');
  await page.getByLabel('Username').fill(stack.admin.username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

/** The row of the stack's own host; searched for, because a long list draws only what is near. */
export async function hostRow(page: Page) {
  await page.getByPlaceholder('Search hosts').fill(stack.host_id);
  const row = page.locator(`[role=row][data-host="${stack.host_id}"]`);
  await expect(row).toBeVisible();
  return row;
}

export async function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

export { expect, stack };
