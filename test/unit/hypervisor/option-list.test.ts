import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { escaped, OptionList } from "../../../src/hypervisor/qemu/command-line/option-list.ts";

const key = fc.stringMatching(/^[a-z][a-z0-9._-]{0,12}$/);
const value = fc.string({ maxLength: 30 });

describe("QEMU's option lists", () => {
  test("a comma that is written twice is part of a value", () => {
    const list = OptionList.parse("file=/a,,b.img,if=virtio,readonly", "file");
    expect([list.get("file"), list.get("if"), list.get("readonly")]).toEqual([
      ...["/a,b.img", "virtio", "on"],
    ]);
    expect(list.toString()).toBe("file=/a,,b.img,if=virtio,readonly");
  });

  test("a first word has the implied key, others are flags, some of them reversed", () => {
    const list = OptionList.parse("unix:/run/a.sock,server,nowait", "path");
    expect(list.get("path")).toBe("unix:/run/a.sock");
    expect([list.isOn("server"), list.get("wait")]).toEqual([true, "off"]);
    expect(list.keys()).toEqual(["path", "server", "wait"]);
  });

  test("JSON is read by joined keys, and stays JSON", () => {
    const list = OptionList.parse(
      '{"driver":"qcow2","file":{"driver":"file","filename":"/a,b"},"read-only":false}',
      "driver",
    );
    expect([list.get("file.filename"), list.get("read-only")]).toEqual(["/a,b", "off"]);
    expect(JSON.parse(list.with("file.filename", "/c").toString())).toEqual({
      ...{ driver: "qcow2", file: { driver: "file", filename: "/c" }, "read-only": false },
    });
  });

  test("a value is replaced in its place", () => {
    const list = OptionList.parse("pc,accel=kvm:tcg,usb=off", "type");
    expect(list.with("type", "pc-i440fx-10.0").with("accel", "tcg").toString()).toBe(
      "pc-i440fx-10.0,accel=tcg,usb=off",
    );
  });

  test("of several values of one key the last counts, and one is left when it is replaced", () => {
    const list = OptionList.parse("a=1,b=2,a=3", "");
    expect(list.get("a")).toBe("3");
    expect(list.with("a", "4").toString()).toBe("a=4,b=2");
  });

  test("what is written is read again, whatever is in the values", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name }), (pairs) => {
        const text = pairs.map(([name, content]) => `${name}=${escaped(content)}`).join(",");
        const list = OptionList.parse(text, "implied");
        for (const [name, content] of pairs) expect(list.get(name)).toBe(content);
        expect(OptionList.parse(list.toString(), "implied").toString()).toBe(list.toString());
      }),
    );
  });

  test("anything is read, and written the same once it was", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ maxLength: 60 }), fc.json()), (text) => {
        const once = OptionList.parse(text, "implied").toString();
        expect(OptionList.parse(once, "implied").toString()).toBe(once);
      }),
    );
  });
});
