// What can come instead of an answer.

/** A problem document of the API (RFC 9457), or what stands for one where no answer came. */
export class Failure extends Error {
  override readonly name = 'Failure';

  constructor(
    /** The status of the answer; 0 where there was none. */
    readonly status: number,
    /** The stable code, `away` where nothing was answered. */
    readonly code: string,
    detail: string,
    /** What is to be changed: a parameter or a member of the question. */
    readonly path?: string,
    /** After how many seconds the server wants to be asked again. */
    readonly retryAfter?: number,
  ) {
    super(detail);
  }

  /** Whether asking again, unchanged, may help. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }
}

/** Whether an error says only that the question is no longer wanted. */
export const isAbort = (error: unknown): boolean => error instanceof DOMException && error.name === 'AbortError';

/** The failure that a refused response tells of. */
export const failureOf = async (response: Response): Promise<Failure> => {
  const wait = Number(response.headers.get('retry-after')) || undefined;
  try {
    const { code, detail, path } = (await response.json()) as Record<string, unknown>;
    if (typeof code === 'string') {
      return new Failure(response.status, code, String(detail ?? code), typeof path === 'string' ? path : undefined, wait);
    }
  } catch (error) {
    if (isAbort(error)) throw error;
  }
  const detail = `the server answered ${response.status} ${response.statusText}`.trim();
  return new Failure(response.status, 'unexpected', detail, undefined, wait);
};
