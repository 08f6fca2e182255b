import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scriptTag } from '../../dist-parts/settings/script-tag.js';

test('the tag names the script beside the page, whatever stands in its address', () => {
  const tag = (base, key = 'k-1') => scriptTag(key, base);
  assert.equal(tag('http://127.0.0.1:4000/'), '<script defer src="http://127.0.0.1:4000/tracker.js" data-key="k-1"></script>');
  assert.ok(tag('https://a.example/stats/?x=1#/settings?tz=UTC').includes('src="https://a.example/stats/tracker.js"'));
  assert.ok(tag('https://a.example/stats&"<b>/').includes('src="https://a.example/stats&amp;%22%3Cb%3E/tracker.js"'));
  assert.ok(tag('https://a.example/', '"><b>').includes('data-key="&quot;>&lt;b>"'));
});
