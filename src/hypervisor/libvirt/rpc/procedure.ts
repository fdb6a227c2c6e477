import { type Infer, struct, type XdrType } from "@stellar/js-xdr";
import { Program } from "./programs.ts";

/** A call of the protocol: its number, and the types of what is sent and of what comes back. */
export interface Procedure<Arguments, Reply> {
  readonly program: number;
  readonly number: number;
  readonly name: string;
  readonly arguments: XdrType<Arguments>;
  readonly reply: XdrType<Reply>;
}

export type Fields = Record<string, XdrType<unknown>>;
type Values<Shape extends Fields> = { readonly [Key in keyof Shape]: Infer<Shape[Key]> };

/** A procedure of `remote_protocol.x`. Fields in the order of the wire; `{}` for none. */
export const remoteProcedure = procedureOf(Program.remote);

/** A procedure of `qemu_protocol.x`. */
export const qemuProcedure = procedureOf(Program.qemu);

function procedureOf(program: number) {
  return <const Arguments extends Fields, const Reply extends Fields>(
    number: number,
    name: string,
    fields: Arguments,
    replyFields: Reply,
  ): Procedure<Values<Arguments>, Values<Reply>> => ({
    program,
    number,
    name,
    arguments: struct(`${name} arguments`, fields),
    reply: struct(`${name} reply`, replyFields),
  });
}
