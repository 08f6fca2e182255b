/** What `work` gives, or nothing where it throws: storage may be blocked or full, and a page must never feel it. */
export const attempt = <T>(work: () => T): T | undefined => {
  try {
    return work();
  } catch {}
  return;
};
