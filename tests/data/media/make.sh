#!/bin/sh
# Makes the samples in this directory with ffmpeg and mkvmerge: a sine and a test picture, half a second of each.
# They are checked in, so that the tests need neither. Nothing in them is anybody's work.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/tags" <<'EOF'
;FFMETADATA1
title=The Title
artist=Jane Author
album=The Album
album_artist=Jane Author
composer=Nora Narrator
genre=Audiobook
date=2019-05-01
comment=A comment
description=A description
track=3/12
disc=1/2
copyright=(c) 2019 Somebody
publisher=The Publisher
grouping=The Series, Book 2
[CHAPTER]
TIMEBASE=1/1000
START=0
END=200
title=Opening
[CHAPTER]
TIMEBASE=1/1000
START=200
END=500
title=Zweites Käpitel
EOF
printf '1\n00:00:00,000 --> 00:00:00,400\nHello\n\n' >"$work/text.srt"

make() { ffmpeg -hide_banner -loglevel error -y -fflags +bitexact "$@"; }
sound="-f lavfi -i sine=frequency=440:duration=0.5:sample_rate=44100"
picture="-f lavfi -i testsrc=size=64x48:rate=25:duration=0.48,format=yuv420p"
exact="-flags:v +bitexact -flags:a +bitexact"
song="$sound -i $work/tags -map_metadata 1 -map 0 $exact"
film="$picture $sound -i $work/tags -map_metadata 2 -map 0 -map 1 $exact"

make $song -c:a aac -b:a 16k book.m4b
make $song -c:a alac lossless.m4a
make $song -c:a libmp3lame -q:a 9 -id3v2_version 4 variable.mp3
make $song -c:a libmp3lame -b:a 32k -id3v2_version 3 -write_id3v1 1 constant.mp3
make $song -c:a libmp3lame -b:a 32k -write_xing 0 -id3v2_version 0 bare.mp3
make $song -c:a libmp3lame -q:a 9 -write_xing 0 -id3v2_version 0 bare-variable.mp3
make $sound -c:a aac -b:a 16k $exact bare.aac
make $song -ar 8000 -c:a flac song.flac
make $song -c:a libvorbis -q:a 0 song.ogg
make $song -c:a libopus -b:a 16k song.opus
make $song -ar 8000 -c:a flac -f ogg song.oga
make $song -ar 8000 -c:a libspeex song.spx
make $song -c:a wmav2 -b:a 32k song.wma
make $song -ar 8000 -c:a pcm_s16le song.wav
make $song -ar 8000 -c:a pcm_s24le -write_bext 1 -rf64 always broadcast.wav
make $song -ar 8000 -c:a pcm_s16be -write_id3v2 1 song.aiff
make $song -ar 8000 -c:a wavpack song.wv
make $song -c:a libopus -b:a 16k song.mka
make $film -c:v libx264 -c:a aac -b:a 16k film.mp4
make $film -c:v libx264 -c:a aac -b:a 16k -movflags frag_keyframe+empty_moov fragments.mp4
make $film -c:v libx264 -c:a aac -b:a 16k -movflags dash+global_sidx index.mp4
make $film -c:v libx265 -pix_fmt yuv420p10le -tag:v hvc1 -c:a aac -b:a 16k -x265-params \
    log-level=error:info=0:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:hdr10=1 bright.mp4
make $picture $exact -c:v libaom-av1 -cpu-used 8 -color_range tv film-av1.mp4
make $picture $exact -c:v mpeg4 -metadata com.apple.quicktime.location.ISO6709=+48.8577+002.2950+035.000/ \
    -metadata com.apple.quicktime.make=Apple -metadata com.apple.quicktime.model="iPhone 12" \
    -metadata com.apple.quicktime.creationdate=2021-06-05T12:00:00+0200 -movflags use_metadata_tags phone.mov
make -f lavfi -i testsrc=size=64x48:rate=30000/1001:duration=0.5,setsar=4/3,format=yuv420p $exact -c:v mjpeg \
    -q:v 31 -metadata creation_time=2020-02-03T04:05:06Z -metadata location=+12.3400-098.7600/ camera.mov
make $picture $sound -s 128x96 -c:v h263 -c:a aac -b:a 16k $exact -metadata title=Mobile mobile.3gp
make $film -c:v libx264 -c:a aac -b:a 16k film.mkv
make $picture $sound $sound -i "$work/text.srt" -map 0 -map 1 -map 2 -map 3 $exact -c:v libvpx-vp9 -c:a libopus -b:a 16k \
    -c:s srt -metadata title="A film" -metadata:s:a:0 language=eng -metadata:s:a:1 language=deu \
    -metadata:s:a:1 title=Kommentar -metadata:s:s:0 language=fre -disposition:s:0 forced -color_range tv tracks.mkv
make $picture $sound $exact -c:v libvpx-vp9 -color_range tv -c:a libopus -b:a 16k film.webm
make $picture $sound -i "$work/text.srt" -map 0 -map 1 -map 2 $exact -c:v libx264 -c:a aac -b:a 16k -c:s mov_text \
    -metadata:s:a:0 language=eng -metadata:s:s:0 language=fre subtitles.mp4
make $picture $sound $exact -c:v mpeg4 -vtag XVID -c:a libmp3lame -b:a 32k -metadata title=Title film.avi
make $picture $sound $exact -c:v mpeg2video -c:a mp2 -b:a 32k -f mpegts film.ts
make $picture $sound $exact -c:v libx264 -c:a ac3 -b:a 32k -metadata:s:a:0 language=eng -mpegts_m2ts_mode 1 film.m2ts
make $picture $sound $exact -c:v mpeg2video -c:a mp2 -b:a 32k -f vob film.mpg
make $film -c:v wmv2 -c:a wmav2 -b:a 32k film.wmv
make $picture $sound $exact -c:v libtheora -c:a libvorbis -q:a 0 film.ogv

cat >"$work/tags.xml" <<'EOF'
<?xml version="1.0"?><Tags>
<Tag><Targets><TargetTypeValue>70</TargetTypeValue></Targets>
<Simple><Name>TITLE</Name><String>The Show</String></Simple></Tag>
<Tag><Targets><TargetTypeValue>60</TargetTypeValue></Targets>
<Simple><Name>PART_NUMBER</Name><String>2</String></Simple></Tag>
<Tag><Targets><TargetTypeValue>50</TargetTypeValue></Targets>
<Simple><Name>TITLE</Name><String>The Episode</String></Simple>
<Simple><Name>PART_NUMBER</Name><String>7</String></Simple>
<Simple><Name>DIRECTOR</Name><String>Dora Director</String></Simple>
<Simple><Name>ACTOR</Name><String>Al Actor</String></Simple>
<Simple><Name>ACTOR</Name><String>Bo Actress</String></Simple>
<Simple><Name>GENRE</Name><String>Drama</String></Simple>
<Simple><Name>DATE_RELEASED</Name><String>1999-03-31</String></Simple></Tag></Tags>
EOF
make -f lavfi -i color=red:size=16x16 -frames:v 1 "$work/cover.jpg"
mkvmerge -q --deterministic 1 -o episode.mkv --global-tags "$work/tags.xml" --attachment-name cover.jpg \
    --attach-file "$work/cover.jpg" --language 0:ja --language 1:en-GB --track-name 1:Main film.mp4 \
    --language 0:de --forced-display-flag 0:yes "$work/text.srt"
