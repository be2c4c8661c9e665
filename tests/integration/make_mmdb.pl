#!/usr/bin/perl
# Makes a small country database for tests.
#
#     make_mmdb.pl LAYOUT FILE [NETWORK=COUNTRY/CONTINENT/ASN...]
#
# LAYOUT is `maxmind` (country.iso_code, continent.code, autonomous_system_number), `flat` (country_code,
# continent_code, asn) or `text` (flat, with asn as "AS64500"). Without networks a fixed set is written.
use strict;
use warnings;
use MaxMind::DB::Writer::Tree;

my @default = qw(
    192.0.2.0/24=DE/EU/64500
    198.51.100.0/24=KP/AS/64501
    203.0.113.0/24=US/NA/64502
    198.18.0.0/24=FR/EU/64503
    198.18.1.0/24=BR/SA/64504
    198.18.2.0/24=RU/EU/64505
    2001:db8::/32=JP/AS/64506
    2001:db8:dead::/48=KP/AS/64501
);

my ($layout, $file, @networks) = @ARGV;
die "usage: make_mmdb.pl maxmind|flat|text FILE [NETWORK=COUNTRY/CONTINENT/ASN...]\n"
    if !defined $file || $layout !~ /^(?:maxmind|flat|text)$/;

my %type = (
    country                  => 'map',
    continent                => 'map',
    iso_code                 => 'utf8_string',
    code                     => 'utf8_string',
    autonomous_system_number => 'uint32',
    country_code             => 'utf8_string',
    continent_code           => 'utf8_string',
    asn                      => $layout eq 'text' ? 'utf8_string' : 'uint32',
);

my $tree = MaxMind::DB::Writer::Tree->new(
    ip_version               => 6,
    record_size              => 24,
    database_type            => "Gatehouse-Test-\u$layout",
    languages                => ['en'],
    description              => { en => 'Made-up countries for tests' },
    remove_reserved_networks => 0,    # the documentation networks are what tests use
    map_key_type_callback    => sub { $type{ $_[0] } },
);

for (@networks ? @networks : @default) {
    my ($network, $country, $continent, $asn) = m{^([^=]+)=(\w+)/(\w+)/(\d+)$}
        or die "make_mmdb.pl: not NETWORK=COUNTRY/CONTINENT/ASN: $_\n";
    my $record =
        $layout eq 'maxmind'
        ? {
            country                  => { iso_code => $country },
            continent                => { code     => $continent },
            autonomous_system_number => $asn,
        }
        : {
            country_code   => $country,
            continent_code => $continent,
            asn            => $layout eq 'text' ? "AS$asn" : $asn,
        };
    $tree->insert_network($network, $record);
}

open my $out, '>:raw', $file or die "make_mmdb.pl: $file: $!\n";
$tree->write_tree($out);
close $out or die "make_mmdb.pl: $file: $!\n";
