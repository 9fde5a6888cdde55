// Browser tests against a stack that is already running; where it is stands in the file that
// MUSTER_STACK_JSON names. Leaves out starting one, and so has no ports of its own.
import { defineConfig } from '@playwright/test';
import { stack } from './e2e/stack';

export default defineConfig({
  testDir: './e2e',
  outputDir: './node_modules/.cache/e2e',
  // One browser at a time: the tests share an account, and its tries are limited.
  workers: 1,
  timeout: 60_000,
  // A first sample may take a publishing interval, a live one a round trip to the agent.
  expect: { timeout: 30_000 },
  forbidOnly: true,
  reporter: [['list']],
  use: {
    baseURL: stack.gateway_url,
    viewport: { width: 1440, height: 900 },
    trace: 'off',
    launchOptions: {
      executablePath: process.env['MUSTER_CHROMIUM'] ?? '/usr/bin/chromium',
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    },
  },
});
