# Sends IPv4 packets as they are, whoever they say they are from; only their checksums and lengths are the kernel's (raw(7)).
# Each line of standard input: how many times, and the packet in hexadecimal digits. Prints how many were sent.
use strict;
use warnings;
use Socket;
use Time::HiRes qw(usleep);

socket(my $raw, AF_INET, SOCK_RAW, 255) or die "raw socket: $!";
my $sent = 0;
while (my $line = <STDIN>) {
  my ($times, $digits) = split ' ', $line;
  my $packet = pack('H*', $digits);
  my $destination = substr($packet, 16, 4);
  my $to = pack_sockaddr_in(0, $destination);
  for (1 .. $times) {
    send($raw, $packet, 0, $to) or die "send: $!";
    # What receives has a queue of bounded length.
    usleep(2_000) if ++$sent % 50 == 0;
  }
}
print "$sent\n";
