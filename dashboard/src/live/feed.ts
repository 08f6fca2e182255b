// What happens now, over a socket to `/realtime` that is opened again, and goes on where it was, whenever it ends.
import type { StoredEvent } from '../timeline/shapes';

/** What the server says. */
type Message =
  | { type: 'welcome' }
  | { type: 'event'; id: string; event: StoredEvent; cursor: string }
  | { type: 'snapshot' | 'update'; id: string; result: unknown; cursor: string }
  | { type: 'lagged'; id: string; missed: number | null }
  | { type: 'error'; id?: string; code: string; message: string };

/** How it stands with the socket. */
export type Standing =
  | { is: 'connecting' }
  | { is: 'live' }
  /** The page is not looked at, so nothing is fetched. */
  | { is: 'paused' }
  /** It ended, and is opened again at `at` (milliseconds since 1970). */
  | { is: 'waiting'; at: number }
  /** The server refuses what was asked; asking again changes nothing. */
  | { is: 'refused'; code: string; message: string };

/** What a feed tells. */
export interface Listener {
  events(events: StoredEvent[]): void;
  /** Some were not shown: how many, or `null` where nobody knows. */
  missed(count: number | null): void;
  standing(standing: Standing): void;
}

/** What a feed needs of its surroundings. */
export interface Surroundings {
  open(): WebSocket;
  now(): number;
  chance(): number;
  later(work: () => void, milliseconds: number): number;
  cancel(timer: number): void;
}

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 30_000;

/** How long until the next try: twice as long each time, and up to a half more by chance, so that not all come at once. */
export const waitBefore = (tries: number, chance: number): number =>
  Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(tries, 16)) * (1 + chance / 2);

// A socket that lived so long was no failure.
const GOOD = 10_000;

/** Whether another try can mend it: what is wrong with the question itself comes again. */
const isFinal = (code: string): boolean => /^(invalid|unknown|missing|forbidden)_/.test(code);

/** The events of a project as they are stored. */
export class Feed {
  private socket: WebSocket | undefined;
  private timer: number | undefined;
  private tries = 0;
  private welcomed = 0;
  private cursor: string | undefined;
  private isWanted = false;

  constructor(
    private readonly filters: readonly unknown[],
    private readonly listener: Listener,
    private readonly around: Surroundings,
  ) {}

  /** Opens the socket, at once where a try is waited for, and goes on behind the last event that was seen. */
  start(): void {
    if (this.isWanted && this.timer === undefined) return;
    if (this.timer !== undefined) this.around.cancel(this.timer);
    this.isWanted = true;
    this.tries = 0;
    this.connect();
  }

  /** Closes the socket until `start`. */
  pause(): void {
    this.stop();
    this.listener.standing({ is: 'paused' });
  }

  /** Closes the socket and says nothing more. */
  stop(): void {
    this.isWanted = false;
    if (this.timer !== undefined) this.around.cancel(this.timer);
    this.timer = undefined;
    const { socket } = this;
    this.socket = undefined;
    socket?.close();
  }

  private connect(): void {
    this.timer = undefined;
    this.listener.standing({ is: 'connecting' });
    const socket = this.around.open();
    this.socket = socket;
    socket.onopen = () => {
      const since = this.cursor === undefined ? {} : { since: this.cursor };
      socket.send(JSON.stringify({ type: 'subscribe', id: 'events', events: { filters: this.filters }, ...since }));
    };
    socket.onmessage = ({ data }) => {
      if (socket === this.socket) this.hear(JSON.parse(String(data)) as Message);
    };
    socket.onclose = () => {
      if (socket !== this.socket) return;
      this.socket = undefined;
      if (this.isWanted) this.again();
    };
  }

  private again(): void {
    if (this.welcomed > 0 && this.around.now() - this.welcomed > GOOD) this.tries = 0;
    this.welcomed = 0;
    const wait = waitBefore(this.tries++, this.around.chance());
    this.listener.standing({ is: 'waiting', at: this.around.now() + wait });
    this.timer = this.around.later(() => this.connect(), wait);
  }

  private hear(message: Message): void {
    switch (message.type) {
      case 'welcome':
        this.welcomed = this.around.now();
        this.listener.standing({ is: 'live' });
        break;
      case 'event':
        this.cursor = message.cursor;
        this.tries = 0;
        this.listener.events([message.event]);
        break;
      case 'lagged':
        this.listener.missed(message.missed);
        break;
      case 'error':
        if (message.code === 'invalid_cursor') {
          // The server is another one than before, or has forgotten: what was missed cannot be told.
          this.cursor = undefined;
          this.listener.missed(null);
          this.socket?.close();
        } else if (isFinal(message.code)) {
          this.stop();
          this.listener.standing({ is: 'refused', code: message.code, message: message.message });
        } else {
          this.socket?.close();
        }
        break;
      default:
    }
  }
}
