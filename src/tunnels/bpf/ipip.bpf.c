// SPDX-License-Identifier: Apache-2.0
// IP-in-IP (RFC 2003, protocol 4) for kernels without the ipip module: one object, loaded once per tunnel with
// that tunnel's constants written into .rodata. `encapsulate` sits on the tunnel device's egress, `decapsulate`
// on the underlay device's ingress. On the wire it equals the kernel's ipip device with `ttl 64 tos inherit
// pmtudisc`.

#include <linux/bpf.h>
#include <linux/errno.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define OUTER_TTL 64
#define IP_DONT_FRAGMENT 0x4000
#define IP_MORE_FRAGMENTS 0x2000
#define IP_FRAGMENT_OFFSET 0x1fff
#define ECN_MASK 0x3
#define ECN_CONGESTION_EXPERIENCED 0x3

// Layout shared with object.ts. Addresses are in network byte order.
struct tunnel_config {
	__u32 local;
	__u32 remote;
	__u32 underlay_ifindex;
	__u32 tunnel_ifindex;
	__u8 tunnel_mac[ETH_ALEN];
	__u8 reserved[2];
};

volatile const struct tunnel_config tunnel_config = {};

static __always_inline __u16 header_checksum(struct iphdr *header)
{
	__u32 sum = bpf_csum_diff(0, 0, (__be32 *)header, sizeof(*header), 0);

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

SEC("tc/egress")
int encapsulate(struct __sk_buff *skb)
{
	struct iphdr inner, outer = {};
	__u32 length;
	long error;

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_SHOT;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &inner, sizeof(inner)) < 0)
		return TC_ACT_SHOT;

	length = skb->len - ETH_HLEN + sizeof(outer);
	outer.version = 4;
	outer.ihl = sizeof(outer) / 4;
	outer.tos = inner.tos;
	// Above 64 KiB (only before segmentation) the field is 0, as the kernel has it; each segment gets its own.
	outer.tot_len = length > 0xffff ? 0 : bpf_htons(length);
	outer.id = bpf_get_prandom_u32();
	// Always set: fragments of the outer packet could not be decapsulated at the other end.
	outer.frag_off = bpf_htons(IP_DONT_FRAGMENT);
	outer.ttl = OUTER_TTL;
	outer.protocol = IPPROTO_IPIP;
	outer.saddr = tunnel_config.local;
	outer.daddr = tunnel_config.remote;
	outer.check = header_checksum(&outer);

	// FIXED_GSO: the device's MTU already leaves room, so the segment size must not shrink a second time.
	error = bpf_skb_adjust_room(skb, sizeof(outer), BPF_ADJ_ROOM_MAC,
				    BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_FIXED_GSO);
	// A packet that came out of a tunnel still bears the kernel's note of it, with the inner header's place,
	// which has not moved: it needs the room alone.
	if (error == -EALREADY)
		error = bpf_skb_adjust_room(skb, sizeof(outer), BPF_ADJ_ROOM_MAC,
					    BPF_F_ADJ_ROOM_FIXED_GSO);
	if (error < 0)
		return TC_ACT_SHOT;
	if (bpf_skb_store_bytes(skb, ETH_HLEN, &outer, sizeof(outer), 0) < 0)
		return TC_ACT_SHOT;
	return bpf_redirect_neigh(tunnel_config.underlay_ifindex, 0, 0, 0);
}

static __always_inline bool is_ours(const struct iphdr *outer)
{
	return outer->version == 4 && outer->ihl == sizeof(*outer) / 4 &&
	       outer->protocol == IPPROTO_IPIP && outer->saddr == tunnel_config.remote &&
	       outer->daddr == tunnel_config.local &&
	       !(outer->frag_off & bpf_htons(IP_MORE_FRAGMENTS | IP_FRAGMENT_OFFSET));
}

// What ip_rcv_core() would drop unseen. Left as it is, it comes to the IP layer in its wrapping and is counted there. Of
// packets of several segments the kernel knows the lengths: their headers need not tell them.
static __always_inline bool is_sound(const struct __sk_buff *skb, const struct iphdr *outer,
				     const struct iphdr *inner)
{
	__u32 header = inner->ihl * 4;
	__u32 length = bpf_ntohs(inner->tot_len);

	if (inner->version != 4 || header < sizeof(*inner))
		return false;
	if (skb->gso_size)
		return true;
	return length >= header && length + sizeof(*outer) <= bpf_ntohs(outer->tot_len);
}

// TC_ACT_UNSPEC: not for this tunnel, the next filter (another tunnel's, somebody else's) decides.
SEC("tc/ingress")
int decapsulate(struct __sk_buff *skb)
{
	struct iphdr outer, inner;
	__u8 mac[ETH_ALEN];
	__u8 tos;

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_UNSPEC;
	if (bpf_skb_load_bytes(skb, ETH_HLEN, &outer, sizeof(outer)) < 0 || !is_ours(&outer))
		return TC_ACT_UNSPEC;
	if (bpf_skb_load_bytes(skb, ETH_HLEN + sizeof(outer), &inner, sizeof(inner)) < 0 ||
	    !is_sound(skb, &outer, &inner))
		return TC_ACT_UNSPEC;
	if (header_checksum(&outer) != 0)
		return TC_ACT_SHOT;

	tos = inner.tos;
	if ((outer.tos & ECN_MASK) == ECN_CONGESTION_EXPERIENCED && (tos & ECN_MASK) == 0)
		return TC_ACT_SHOT; // RFC 6040: the only congestion signal such a packet can carry is its loss.

	// Without BPF_F_ADJ_ROOM_DECAP_L3_IPV4: IPv4 in IPv4 does not need it and kernels before 6.3 refuse it.
	if (bpf_skb_adjust_room(skb, -(__s32)sizeof(outer), BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_FIXED_GSO) < 0)
		return TC_ACT_SHOT;
	if ((outer.tos & ECN_MASK) == ECN_CONGESTION_EXPERIENCED)
		bpf_skb_ecn_set_ce(skb);

	// The device takes as its own only frames to its own address, and the underlay's address may change.
	for (int i = 0; i < ETH_ALEN; i++)
		mac[i] = tunnel_config.tunnel_mac[i];
	if (bpf_skb_store_bytes(skb, 0, mac, sizeof(mac), BPF_F_RECOMPUTE_CSUM) < 0)
		return TC_ACT_SHOT;
	return bpf_redirect(tunnel_config.tunnel_ifindex, BPF_F_INGRESS);
}

char program_license[] SEC("license") = "Apache-2.0";
