// The totals of a summary: what the gateway says of all tickets, in the units of people.
import { createElement } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { expect, it } from 'vitest';
import { SummaryFigures } from './SummaryViews';

it('shows totals of all tickets as they came, and nothing where nobody acknowledged any', () => {
  const shown = renderToStaticMarkup(createElement(SummaryFigures, { total: { count: 1_250, total_s: 7_200, mean_acknowledge_s: null, mean_resolve_s: 90 } }));
  const values = [...shown.matchAll(/now-value">([^<]*)</gu)].map(([, value]) => value);
  expect(values).toEqual(['1,250', '2 h', '–', '1 min 30 s']);
});
