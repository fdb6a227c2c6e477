/**
 * Small program: COUNT interactive sessions with a guest's echo service at once. Each sends a numbered line every second
 * and checks that it comes back, until its standard input ends.
 * usage: many-sessions ADDRESS PORT COUNT; prints a ManySessionsLine every second and at its end.
 */
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";

export interface ManySessionsLine {
  open: number;
  /** Of the session that has heard the least. */
  leastEchoed: number;
  wrong: string | null;
  /** Why sessions ended before they were to. */
  broken: string[];
}

const periodMs = 1_000;
const lastEchoWithinMs = 15_000;

const [address = "", port = "", count = ""] = process.argv.slice(2);
const wrong: string[] = [];
const broken: string[] = [];
const sessions = Array.from({ length: Number(count) }, (_, number) => begin(number));
const timer = setInterval(() => {
  for (const session of sessions) speak(session);
  print();
}, periodMs);
process.stdin.resume().on("end", () => {
  clearInterval(timer);
  const deadline = Date.now() + lastEchoWithinMs;
  const wait = setInterval(() => {
    const isDone = sessions.every(({ sent, echoed }) => sent === echoed);
    if (!isDone && broken.length === 0 && Date.now() < deadline) return;
    if (!isDone) broken.push("the last lines did not come back");
    clearInterval(wait);
    print();
    for (const { socket } of sessions) socket.destroy();
    process.exit(0);
  }, 20);
});

interface Session {
  number: number;
  socket: Socket;
  sent: number;
  echoed: number;
  isOpen: boolean;
}

function begin(number: number): Session {
  const socket = connect({ host: address, port: Number(port), noDelay: true });
  const session: Session = { number, socket, sent: 0, echoed: 0, isOpen: false };
  socket.on("connect", () => {
    session.isOpen = true;
  });
  socket.on("error", (error) => broken.push(error.message));
  socket.on("close", () => {
    session.isOpen = false;
    broken.push("closed by the guest");
  });
  createInterface({ input: socket }).on("line", (line) => {
    if (line === textOf(session, session.echoed)) session.echoed += 1;
    else wrong.push(line);
  });
  return session;
}

function speak(session: Session): void {
  if (!session.isOpen) return;
  session.socket.write(`${textOf(session, session.sent)}\n`);
  session.sent += 1;
}

function textOf({ number }: Pick<Session, "number">, line: number): string {
  return `session ${number} line ${line}`;
}

function print(): void {
  const line: ManySessionsLine = {
    open: sessions.filter(({ isOpen }) => isOpen).length,
    leastEchoed: Math.min(...sessions.map(({ echoed }) => echoed)),
    wrong: wrong[0] ?? null,
    broken: broken.slice(0, 5),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
