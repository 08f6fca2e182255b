// One request to the API.
import { Failure, failureOf, isAbort } from './failure';

/** What a request has beside its path. */
export interface Ask {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Sent as JSON; makes the method `POST` where none is given. */
  body?: unknown;
  signal?: AbortSignal;
  /** Has the answer computed anew. */
  fresh?: boolean;
}

let project: string | undefined;
let onRefused = () => {};

/** Says which of the session's projects every request is about from now on. */
export const chooseProject = (name: string | undefined) => {
  project = name;
};

/** The project that requests are about; nothing where the server knows none. */
export const chosenProject = (): string | undefined => project;

/** Has `tell` called when an answer says that nobody is signed in, or not to this project. */
export const whenRefused = (tell: () => void) => {
  onRefused = tell;
};

/** The address of a path of the server, which may be served under another path: the page stands at its root. */
export const beside = (path: string): string => path.replace(/^\//, '');

/** Asks, and gives the response; throws a `Failure` for everything that is not a yes. */
export const request = async (path: string, { method, body, signal, fresh }: Ask = {}): Promise<Response> => {
  const headers: Record<string, string> = { Accept: 'application/json' };
  if (project !== undefined) headers['X-Project'] = project;
  if (fresh) headers['Cache-Control'] = 'no-cache';
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let response: Response;
  try {
    response = await fetch(beside(path), {
      method: method ?? (body === undefined ? 'GET' : 'POST'),
      headers,
      credentials: 'same-origin',
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new Failure(0, 'away', 'the server does not answer');
  }
  if (response.ok) return response;
  const failure = await failureOf(response);
  const isRefused = failure.status === 401 || failure.code === 'unknown_project';
  if (isRefused && path !== '/api/session') onRefused();
  throw failure;
};

/** Asks, and gives the answer's JSON. */
export const ask = async <T>(path: string, options?: Ask): Promise<T> => {
  const response = await request(path, options);
  if (response.status === 204) return undefined as T;
  try {
    return (await response.json()) as T;
  } catch (error) {
    if (isAbort(error)) throw error;
    // A cut connection; what was half sent is no answer.
    throw new Failure(0, 'away', 'the answer broke off');
  }
};
