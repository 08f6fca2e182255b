// The tag that a web page sends with.

const inAttribute = (text: string): string => text.replace(/&/g, '&amp;').replace(/"/g, '&quot;').replace(/</g, '&lt;');

/** The tag with a key; the script lies beside the page at `base`. */
export const scriptTag = (key: string, base: string): string =>
  `<script defer src="${inAttribute(new URL('tracker.js', base).href)}" data-key="${inAttribute(key)}"></script>`;
