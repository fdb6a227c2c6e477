/**
 * Small program: a gate over HTTP that never answers. usage: silent-gate PORT.
 * Prints `ready`, then `asked` for each question that has come and `gone` for each whose connection has ended. Ends
 * with its standard input.
 */
import { createServer } from "node:http";

const server = createServer((request) => {
  request.resume().on("end", () => console.log("asked"));
  request.socket.on("close", () => console.log("gone"));
});
server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log("ready"));
process.stdin.resume().on("end", () => process.exit(0));
