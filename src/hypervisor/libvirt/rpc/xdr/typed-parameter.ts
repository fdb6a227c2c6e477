import {
  array,
  double,
  field,
  type Infer,
  int32,
  int64,
  struct,
  uint32,
  uint64,
  union,
  unionCase,
} from "@stellar/js-xdr";
import { longestParameterList } from "../limits.ts";
import { text } from "./text.ts";

/** `virTypedParameterType`. */
const Type = { int: 1, uint: 2, llong: 3, ullong: 4, double: 5, boolean: 6, string: 7 } as const;

const value = union("value", {
  switchOn: int32(),
  cases: [
    unionCase("int", Type.int, field("value", int32())),
    unionCase("uint", Type.uint, field("value", uint32())),
    unionCase("llong", Type.llong, field("value", int64())),
    unionCase("ullong", Type.ullong, field("value", uint64())),
    unionCase("double", Type.double, field("value", double())),
    // An int on the wire too: C's truth is anything but 0.
    unionCase("boolean", Type.boolean, field("value", int32())),
    unionCase("string", Type.string, field("value", text())),
  ],
});

const typedParameter = struct("parameter", { field: text(), value });

/** Named values whose types travel along (`remote_typed_param`). */
export const typedParameters = array(typedParameter, longestParameterList);

export type TypedParameter = Infer<typeof typedParameter>;
export type TypedParameterValue = number | bigint | boolean | string;

/** One parameter of each type, as libvirt's headers name them. */
export const parameter = {
  int: (name: string, value: number) => of(name, { type: Type.int, value }),
  uint: (name: string, value: number) => of(name, { type: Type.uint, value }),
  llong: (name: string, value: bigint) => of(name, { type: Type.llong, value }),
  ullong: (name: string, value: bigint) => of(name, { type: Type.ullong, value }),
  double: (name: string, value: number) => of(name, { type: Type.double, value }),
  boolean: (name: string, value: boolean) => of(name, { type: Type.boolean, value: value ? 1 : 0 }),
  string: (name: string, value: string) => of(name, { type: Type.string, value }),
} as const;

/** The values by name; of a name that comes twice, the last. Long integers are bigints. */
export function parameterValues(
  parameters: readonly TypedParameter[],
): ReadonlyMap<string, TypedParameterValue> {
  return new Map(
    parameters.map(({ field: name, value: { type, value: raw } }) => [
      name,
      type === Type.boolean ? raw !== 0 : raw,
    ]),
  );
}

function of(name: string, typed: TypedParameter["value"]): TypedParameter {
  return { field: name, value: typed };
}
