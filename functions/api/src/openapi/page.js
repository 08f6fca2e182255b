// Shows the OpenAPI document beside this page. Texts become text nodes only, so nothing of the document is read as HTML.
'use strict';

const main = document.getElementById('routes');

function add(parent, tag, text, attributes = {}) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  write(element, text ?? '');
  parent.append(element);
  return element;
}

// `code` and **strong**, the only marks that the document's texts use.
function write(element, text) {
  for (const part of text.split(/(`[^`]+`|\*\*[^*]+\*\*)/)) {
    if (part.startsWith('`')) element.append(marked('code', part.slice(1, -1)));
    else if (part.startsWith('**')) element.append(marked('strong', part.slice(2, -2)));
    else element.append(part);
  }
}

function marked(tag, text) {
  const element = document.createElement(tag);
  element.textContent = text;
  return element;
}

function paragraphs(parent, text) {
  for (const paragraph of (text ?? '').split(/\n\n+/)) if (paragraph.trim()) add(parent, 'p', paragraph);
}

function pre(parent, text) {
  add(parent, 'pre', '').textContent = text;
}

function kind(schema) {
  if (!schema) return '';
  if (schema.$ref) return schema.$ref.split('/').pop();
  if (schema.oneOf) return schema.oneOf.map(kind).join(' or ');
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.type === 'array') return `list of ${kind(schema.items)}`;
  return [schema.type].flat().join(' or ');
}

// Schemas of the document have names in upper case, kinds of JSON in lower case.
function link(parent, shape) {
  if (/^[A-Z]/.test(shape)) add(parent, 'a', shape, { href: `#${shape}` });
  else add(parent, 'span', shape, { class: 'soft' });
}

function parameters(section, list) {
  if (!list?.length) return;
  add(section, 'h4', 'Parameters');
  const table = add(section, 'table', '');
  for (const parameter of list) {
    const row = add(table, 'tr', '');
    add(add(row, 'td', ''), 'code', parameter.name);
    const facts = [kind(parameter.schema), parameter.required ? 'required' : ''];
    if (parameter.in === 'path') facts.push('in the path');
    const { default: byDefault, maximum } = parameter.schema ?? {};
    if (byDefault !== undefined) facts.push(`${JSON.stringify(byDefault)} where none is given`);
    if (maximum !== undefined) facts.push(`at most ${maximum}`);
    add(row, 'td', facts.filter(Boolean).join(', '), { class: 'soft' });
    add(row, 'td', parameter.description);
  }
}

function examplePath(path, list) {
  const pairs = [];
  for (const { name, in: place, example, required } of list ?? []) {
    if (example === undefined) continue;
    if (place === 'path') path = path.replace(`{${name}}`, encodeURIComponent(example));
    else if (required || pairs.length < 3) {
      for (const value of [example].flat()) pairs.push(`${name}=${encodeURIComponent(value)}`);
    }
  }
  return pairs.length ? `${path}?${pairs.join('&')}` : path;
}

// One member a line.
function written(body) {
  const members = Object.entries(body).map(([name, value]) => `  ${JSON.stringify(name)}: ${JSON.stringify(value)}`);
  return `{\n${members.join(',\n')}\n}`;
}

function examples(section, verb, path, operation, needsKey) {
  const origin = location.origin;
  const key = needsKey ? ' \\\n  -H "Authorization: Bearer $API_KEY"' : '';
  const content = operation.requestBody?.content['application/json'];
  if (content) {
    add(section, 'h4', 'Body');
    link(add(section, 'p', ''), kind(content.schema));
  }
  add(section, 'h4', 'Example');
  if (!content) return pre(section, `curl '${origin}${examplePath(path, operation.parameters)}'${key}`);
  for (const { summary, value } of Object.values(content.examples ?? {})) {
    add(section, 'p', summary);
    pre(section, `curl -X ${verb.toUpperCase()} '${origin}${path}'${key} \\\n  -d '${written(value)}'`);
  }
}

function responses(section, api, all) {
  add(section, 'h4', 'Answers');
  const table = add(section, 'table', '');
  for (const [status, given] of Object.entries(all)) {
    const response = given.$ref ? api.components.responses[given.$ref.split('/').pop()] : given;
    const row = add(table, 'tr', '');
    add(add(row, 'td', ''), 'code', status);
    add(row, 'td', response.description);
    const shapes = Object.values(response.content ?? {}).map((content) => kind(content.schema));
    const cell = add(row, 'td', '');
    for (const shape of shapes) link(cell, shape);
  }
  const good = Object.entries(all).find(([status]) => status.startsWith('2'))?.[1];
  const example = Object.values(good?.content ?? {}).find((content) => content.example !== undefined)?.example;
  if (example === undefined) return;
  const details = add(section, 'details', '');
  add(details, 'summary', 'An answer, its lists shortened');
  pre(details, typeof example === 'string' ? example : JSON.stringify(example, null, 2));
}

function operation(api, path, verb, described) {
  const section = add(main, 'section', '', { id: described.operationId });
  add(section, 'h3', `${verb.toUpperCase()} ${path}`);
  add(section, 'p', described.summary);
  paragraphs(section, described.description);
  const security = described.security ?? api.security;
  const scopes = security.flatMap((requirement) => Object.values(requirement).flat());
  const needsKey = scopes.length > 0;
  add(section, 'p', needsKey ? `Needs a key with scope ${scopes[0]}.` : 'Needs no key.', { class: 'soft' });
  parameters(section, described.parameters);
  examples(section, verb, path, described, needsKey);
  responses(section, api, described.responses);
}

function show(api) {
  main.replaceChildren();
  paragraphs(main, api.info.description);
  const operations = Object.entries(api.paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, described]) => ({ path, verb, described })));
  const list = add(add(main, 'nav', ''), 'ul', '');
  for (const { path, verb, described } of operations) {
    const text = `${verb.toUpperCase()} ${path}`;
    add(add(list, 'li', ''), 'a', text, { href: `#${described.operationId}` });
  }
  for (const tag of api.tags) {
    add(main, 'h2', tag.name);
    add(main, 'p', tag.description);
    const own = operations.filter(({ described }) => described.tags?.[0] === tag.name);
    for (const { path, verb, described } of own) operation(api, path, verb, described);
  }
  add(main, 'h2', 'schemas');
  for (const [name, schema] of Object.entries(api.components.schemas)) {
    const details = add(main, 'details', '', { id: name });
    add(details, 'summary', '').append(marked('code', name), ` ${(schema.description ?? '').split('\n')[0]}`);
    pre(details, JSON.stringify(schema, null, 2));
  }
}

// A link to a schema opens it.
addEventListener('hashchange', () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
});

fetch('openapi.json')
  .then((response) => (response.ok ? response.json() : Promise.reject(new Error(`status ${response.status}`))))
  .then(show)
  .catch((error) => add(main, 'p', `openapi.json cannot be shown: ${error.message}`));
