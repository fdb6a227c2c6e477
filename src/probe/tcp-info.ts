/** Figures of one TCP session as its kernel counts them (`struct tcp_info`, linux/tcp.h). */
export interface TcpInfo {
  /** Segments sent again since the session's start. */
  retransmissions: number;
  /** Retransmission timers that fired; null before Linux 6.7, which does not tell. */
  rto: number | null;
  /** Payload bytes that the peer has acknowledged. */
  bytesAcked: number;
}

export interface TcpEndpoints {
  localAddress: string;
  localPort: number;
  remoteAddress: string;
  remotePort: number;
}

/** `SOCK_DIAG_BY_FAMILY` of linux/sock_diag.h. */
export const socketDiagnosisMessage = 20;

const addressFamily = { ipv4: 2, ipv6: 10 };
const protocolTcp = 6;
/** `INET_DIAG_INFO`, as an attribute and as a bit of the request's extensions. */
const infoAttribute = 2;
const requestBytes = 56;
const answerHeaderBytes = 72;
const attributeHeaderBytes = 4;

const offsets = { totalRetransmissions: 100, bytesAcked: 120, totalRto: 240 };

/** A request for one session (`struct inet_diag_req_v2`); addresses without a zone. */
export function writeTcpInfoRequest(endpoints: TcpEndpoints): Buffer {
  const local = addressBytes(endpoints.localAddress);
  const remote = addressBytes(endpoints.remoteAddress);
  const request = Buffer.alloc(requestBytes);
  request.writeUInt8(local.length === 4 ? addressFamily.ipv4 : addressFamily.ipv6, 0);
  request.writeUInt8(protocolTcp, 1);
  request.writeUInt8(1 << (infoAttribute - 1), 2);
  request.writeUInt32LE(0xffffffff, 4);
  request.writeUInt16BE(endpoints.localPort, 8);
  request.writeUInt16BE(endpoints.remotePort, 10);
  local.copy(request, 12);
  remote.copy(request, 28);
  // INET_DIAG_NOCOOKIE: whichever session has these addresses.
  request.fill(0xff, 48);
  return request;
}

/** The figures of an answer (`struct inet_diag_msg` and attributes), or null when they are not in it. */
export function readTcpInfo(answer: Buffer): TcpInfo | null {
  const info = findAttribute(answer, infoAttribute);
  if (info === null || info.length < offsets.bytesAcked + 8) return null;
  return {
    retransmissions: info.readUInt32LE(offsets.totalRetransmissions),
    rto: info.length < offsets.totalRto + 2 ? null : info.readUInt16LE(offsets.totalRto),
    bytesAcked: Number(info.readBigUInt64LE(offsets.bytesAcked)),
  };
}

function findAttribute(answer: Buffer, wanted: number): Buffer | null {
  let offset = answerHeaderBytes;
  while (offset + attributeHeaderBytes <= answer.length) {
    const length = answer.readUInt16LE(offset);
    if (length < attributeHeaderBytes || offset + length > answer.length) return null;
    if (answer.readUInt16LE(offset + 2) === wanted) {
      return answer.subarray(offset + attributeHeaderBytes, offset + length);
    }
    offset += (length + 3) & ~3;
  }
  return null;
}

/** The bytes of an address as `node:net` prints it. */
function addressBytes(text: string): Buffer {
  if (!text.includes(":")) return Buffer.from(text.split(".").map(Number));
  const [head = "", tail] = (text.split("%")[0] ?? "").split("::");
  const before = groupsOf(head);
  const after = tail === undefined ? [] : groupsOf(tail);
  const zeros = tail === undefined ? 0 : 16 - before.length - after.length;
  return Buffer.from([...before, ...Array<number>(Math.max(0, zeros)).fill(0), ...after]);
}

function groupsOf(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((group) => {
    if (group.includes(".")) return group.split(".").map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
