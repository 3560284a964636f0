#!/bin/sh
# Ask ElasticMQ for the queue: if it can't write to its folder, it runs without queues. Some of its images have wget,
# others bash.
url='http://127.0.0.1:9324/?Action=GetQueueUrl&QueueName=default'
if command -v wget > /dev/null; then
    exec wget --quiet --output-document=/dev/null "$url"
fi
exec bash -c 'exec 3<> /dev/tcp/127.0.0.1/9324 \
    && printf "GET /${1#*9324/} HTTP/1.0\r\nHost: localhost\r\n\r\n" >&3 \
    && read -r answer <&3 \
    && [[ $answer == *" 200 "* ]]' health "$url"
