const FIRST_WAIT = 1e3;
const LONGEST_WAIT = 3e4;
const waitBefore = (tries, chance) => Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** Math.min(tries, 16)) * (1 + chance / 2);
const GOOD = 1e4;
const isFinal = (code) => /^(invalid|unknown|missing|forbidden)_/.test(code);
class Feed {
  constructor(filters, listener, around) {
    this.filters = filters;
    this.listener = listener;
    this.around = around;
  }
  socket;
  timer;
  tries = 0;
  welcomed = 0;
  cursor;
  isWanted = false;
  /** Opens the socket, and goes on behind the last event that was seen. */
  start() {
    if (this.isWanted) return;
    this.isWanted = true;
    this.tries = 0;
    this.connect();
  }
  /** Closes the socket until `start`. */
  pause() {
    this.stop();
    this.listener.standing({ is: "paused" });
  }
  /** Closes the socket and says nothing more. */
  stop() {
    this.isWanted = false;
    if (this.timer !== void 0) this.around.cancel(this.timer);
    this.timer = void 0;
    const { socket } = this;
    this.socket = void 0;
    socket?.close();
  }
  connect() {
    this.timer = void 0;
    this.listener.standing({ is: "connecting" });
    const socket = this.around.open();
    this.socket = socket;
    socket.onopen = () => {
      const since = this.cursor === void 0 ? {} : { since: this.cursor };
      socket.send(JSON.stringify({ type: "subscribe", id: "events", events: { filters: this.filters }, ...since }));
    };
    socket.onmessage = ({ data }) => {
      if (socket === this.socket) this.hear(JSON.parse(String(data)));
    };
    socket.onclose = () => {
      if (socket !== this.socket) return;
      this.socket = void 0;
      if (this.isWanted) this.again();
    };
  }
  again() {
    if (this.welcomed > 0 && this.around.now() - this.welcomed > GOOD) this.tries = 0;
    this.welcomed = 0;
    const wait = waitBefore(this.tries++, this.around.chance());
    this.listener.standing({ is: "waiting", at: this.around.now() + wait });
    this.timer = this.around.later(() => this.connect(), wait);
  }
  hear(message) {
    switch (message.type) {
      case "welcome":
        this.welcomed = this.around.now();
        this.listener.standing({ is: "live" });
        break;
      case "event":
        this.cursor = message.cursor;
        this.tries = 0;
        this.listener.events([message.event]);
        break;
      case "lagged":
        this.listener.missed(message.missed);
        break;
      case "error":
        if (message.code === "invalid_cursor") {
          this.cursor = void 0;
          this.listener.missed(null);
          this.socket?.close();
        } else if (isFinal(message.code)) {
          this.stop();
          this.listener.standing({ is: "refused", code: message.code, message: message.message });
        } else {
          this.socket?.close();
        }
        break;
      default:
    }
  }
}
export {
  Feed,
  waitBefore
};
