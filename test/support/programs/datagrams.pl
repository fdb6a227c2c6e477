# Prints each datagram that arrives at the unix socket $ARGV[0] as one line of JSON-like text, until it is killed.
use strict;
use warnings;
use IO::Socket::UNIX;
use Socket;

my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die "socket: $!\n";
$| = 1;
print "listening\n";
while (defined $socket->recv(my $datagram, 65536)) {
    $datagram =~ s/\n/;/g;
    print "$datagram\n";
}
