// The build of the dashboard: one script, one stylesheet and two fonts, embedded in the gateway.
// Leaves out source maps and anything inlined: the gateway serves it all under `default-src 'self'`.
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const gateway = process.env['MUSTER_GATEWAY_URL'] ?? 'http://127.0.0.1:3000';

export default defineConfig({
  plugins: [react()],
  build: {
    target: 'es2022',
    // A small file turned into a data: URL would be refused by the content security policy.
    assetsInlineLimit: 0,
    // The licences of what is bundled travel with the bundle.
    license: { fileName: 'licenses.md' },
  },
  // `npm run dev` beside a gateway: the same origin for the browser, as in production.
  server: {
    proxy: {
      '/api': { target: gateway, ws: true },
    },
  },
  test: {
    include: ['src/**/*.test.ts'],
    environment: 'node',
  },
});
