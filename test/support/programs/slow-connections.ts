import { connect } from "node:net";

/** So many there are, even when the end comes sooner. */
const least = 10_000;

/**
 * Opens connections to ADDRESS PORT from the addresses that follow, twenty a hundredth of a second, until standard input
 * ends: half stay silent, half begin a TLS handshake and stop. Then prints how many there were.
 */
const [address = "", port = "", ...sources] = process.argv.slice(2);
const counts = { started: 0, refused: 0 };

function open(): void {
  const index = counts.started++;
  const localAddress = sources[index % sources.length] as string;
  const socket = connect({ host: address, port: Number(port), localAddress });
  socket.on("error", () => {});
  socket.on("close", () => {
    counts.refused += 1;
  });
  if (index % 2 === 1) {
    socket.on("connect", () => socket.write(Buffer.from("16030100f0010000", "hex")));
  }
}

let isOver = false;
const timer = setInterval(() => {
  for (let count = 0; count < 20; count += 1) open();
  if (!isOver || counts.started < least) return;
  clearInterval(timer);
  process.stdout.write(`${JSON.stringify(counts)}\n`, () => process.exit(0));
}, 10);
process.stdin.on("end", () => {
  isOver = true;
});
process.stdin.resume();
process.stdout.write("started\n");
