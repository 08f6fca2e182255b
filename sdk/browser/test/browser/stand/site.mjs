// A site of two pages and whatever a test puts beside them, on an origin of its own.
import { createServer } from 'node:http';

/** Serves `pages`, by path: a text of HTML, or a function of the request that gives one; else an empty page. */
export const openSite = async (headOf, headers = {}) => {
  const site = { pages: {}, headers };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://site');
    if (pathname === '/favicon.ico') return response.writeHead(204).end();
    const page = site.pages[pathname] ?? '';
    const body = typeof page === 'function' ? page(request) : page;
    const html = `<!doctype html><meta charset="utf-8"><title>page ${pathname}</title>${headOf(site)}<body>${body}</body>`;
    return response.writeHead(200, { 'content-type': 'text/html', ...site.headers }).end(html);
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  // Two names of this machine are two sites to a browser.
  site.url = `http://localhost:${port}`;
  site.close = () => new Promise((done) => server.close(done).closeAllConnections());
  return site;
};

/** The tag, as a site would write it. Of an attribute that comes twice the first holds. */
export const tag = (road, { writeKey }, attributes = '') =>
  `<script defer src="${road.url}/tracker.js" data-key="${writeKey}" ${attributes} data-wait="100"></script>`;
