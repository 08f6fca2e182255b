// What hinders those who cannot see the page, or use a mouse, as axe finds it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Serious and critical findings, a line each. */
export const hindrances = async (page) => {
  // Not as an element of the page, which its policy would forbid.
  await page.evaluate(source);
  const { violations } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ['violations'] }));
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, help, nodes }) =>
      nodes.map(({ target, failureSummary }) => `${id} (${help}) ${target}: ${failureSummary?.replaceAll(/\s+/g, ' ')}`),
    );
};
